// wfx: keeps a page current, follows output, and takes keys. Everything works without it.

const RUNNING = 1000, QUIET = 15000, ALIVE = 2000;
const body = document.body;
const main = document.getElementById('main');
const policy = window.trustedTypes
  ? trustedTypes.createPolicy('wfx', { createHTML: (html) => html })
  : { createHTML: (html) => html };

// --- The page as the server has it now, without losing focus, scroll or what is open.

let tag = '';
let asking = false;
let timer = 0;
let lostAt = null;

/** The document that the server sends for an address; null if it is as before. */
async function ask(address) {
  const headers = address === location.href && tag ? { 'If-None-Match': tag } : {};
  const answer = await fetch(address, {
    headers, cache: 'no-store', credentials: 'same-origin', redirect: 'follow',
    signal: AbortSignal.timeout(10000),
  });
  if (answer.status === 304) return null;
  const type = answer.headers.get('content-type') || '';
  if (!type.startsWith('text/html')) throw new Error(`${answer.status}`);
  if (answer.redirected) {
    // The session has ended.
    location.assign(answer.url);
    return null;
  }
  if (answer.status >= 500) throw new Error(`${answer.status}`);
  const html = await answer.text();
  if (address === location.href) tag = answer.headers.get('etag') || '';
  return new DOMParser().parseFromString(policy.createHTML(html), 'text/html');
}

function attributes(old, now) {
  for (const { name, value } of now.attributes) {
    if (name === 'open' && old.localName === 'details') continue;
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (now.hasAttribute(name)) continue;
    if (name === 'open' && old.localName === 'details') continue;
    if (['data-stopped', 'data-seen', 'disabled'].includes(name)) continue;
    old.removeAttribute(name);
  }
}

function alike(old, now) {
  return old.nodeType === now.nodeType && old.nodeName === now.nodeName
    && (old.id || '') === (now.id || '');
}

/** Makes a node as `now` is. What somebody has typed or chosen stays. */
function become(old, now) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== now.data) old.data = now.data;
    return;
  }
  if (old.localName === 'form' && old.dataset.typed) return;
  // What somebody reads does not move.
  const isHeld = old.dataset.stopped === 'true' && old.dataset.from !== now.dataset.from;
  attributes(old, now);
  if (isHeld) {
    old.dataset.from = 'held';
    return;
  }
  if (['input', 'select', 'textarea'].includes(old.localName)) return;
  let at = old.firstChild;
  for (const next of [...now.childNodes]) {
    if (next.id && !(at && alike(at, next))) {
      const moved = [...old.children].find((child) => alike(child, next));
      if (moved) {
        // What stands before it is gone.
        while (at && at !== moved) {
          const gone = at;
          at = at.nextSibling;
          gone.remove();
        }
      }
    }
    if (at && alike(at, next)) {
      become(at, next);
      at = at.nextSibling;
    } else {
      old.insertBefore(document.importNode(next, true), at);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function show(fresh) {
  const logs = [...document.querySelectorAll('pre.log[data-follow]')];
  const ends = new Map(logs.map((log) => [log, isFollowing(log)]));
  document.title = fresh.title;
  for (const part of ['top', 'main', 'foot']) {
    const [old, now] = [document.getElementById(part), fresh.getElementById(part)];
    if (old && now) become(old, now);
  }
  body.dataset.running = fresh.body.dataset.running;
  for (const [log, follows] of ends) follow(log, follows);
  for (const log of document.querySelectorAll('pre.log[data-follow]')) {
    if (!ends.has(log)) prepare(log);
  }
  finish();
}

async function refresh() {
  if (asking || document.hidden) return;
  asking = true;
  clearTimeout(timer);
  try {
    const fresh = await ask(location.href);
    if (fresh) show(fresh);
    found();
  } catch {
    lost();
  } finally {
    asking = false;
    later();
  }
}

function later() {
  clearTimeout(timer);
  if (document.hidden || !body.dataset.running) return;
  const pause = lostAt ? ALIVE : body.dataset.running === 'true' ? RUNNING : QUIET;
  timer = setTimeout(refresh, pause);
}

// --- Whether the daemon answers.

function lost() {
  if (lostAt) return;
  lostAt = new Date();
  const note = document.createElement('div');
  note.id = 'gone';
  note.className = 'note fail';
  note.setAttribute('role', 'alert');
  const text = document.createElement('p');
  const strong = document.createElement('b');
  strong.textContent = 'The daemon does not answer';
  const since = body.dataset.asOf || lostAt.toLocaleTimeString();
  text.append(strong, `. This page shows what was known at ${since}, and tries again every 2 s.`
    + ' Nothing that you press is sent until it answers.');
  note.append(text);
  main.before(note);
  for (const button of document.querySelectorAll('form[method=post] button')) button.disabled = true;
  later();
}

function found() {
  body.dataset.asOf = document.querySelector('time[data-now]')?.textContent || body.dataset.asOf || '';
  if (!lostAt) return;
  lostAt = null;
  document.getElementById('gone')?.remove();
  for (const button of document.querySelectorAll('form[method=post] button')) button.disabled = false;
}

async function isAlive() {
  if (document.hidden || asking || lostAt || !body.dataset.running) return;
  try {
    await fetch(body.dataset.base + 'healthz', { cache: 'no-store', signal: AbortSignal.timeout(2000) });
  } catch {
    if (!document.hidden) lost();
  }
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) clearTimeout(timer);
  else refresh();
});
document.addEventListener('submit', (event) => {
  if (event.target.method !== 'post') return;
  if (lostAt) {
    event.preventDefault();
    document.getElementById('gone')?.scrollIntoView();
    return;
  }
  // Pressed twice, it is sent once.
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = 'true';
});
window.addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
});
document.addEventListener('input', (event) => {
  if (event.target.form) event.target.form.dataset.typed = 'true';
});

// --- A step that is selected in graph, timeline or table is shown in all of them.

document.addEventListener('click', async (event) => {
  const link = event.target.closest?.('a[data-key]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const address = new URL(link.getAttribute('href'), location.href);
  if (address.pathname !== location.pathname) return;
  event.preventDefault();
  const hash = address.hash;
  address.hash = '';
  try {
    const fresh = await ask(address.href);
    history.pushState(null, '', address.href);
    tag = '';
    for (const log of document.querySelectorAll('pre.log[data-stopped]')) log.dataset.stopped = 'false';
    if (fresh) show(fresh);
    found();
  } catch {
    address.hash = hash;
    location.assign(address.href);
  }
});
window.addEventListener('popstate', () => { tag = ''; refresh(); });

// --- Output that goes on.

function isFollowing(log) {
  return log.dataset.stopped !== 'true';
}
function follow(log, follows) {
  if (follows) log.scrollTop = log.scrollHeight;
  const words = document.getElementById('following');
  if (!words || words.dataset.ended) return;
  const written = Number(log.dataset.written);
  if (follows) log.dataset.seen = written;
  const more = written - Number(log.dataset.seen);
  words.textContent = follows ? 'following the end'
    : `stopped, ${more.toLocaleString('en')} ${more === 1 ? 'byte' : 'bytes'} more; f follows again`;
}
function prepare(log) {
  follow(log, true);
  log.addEventListener('scroll', () => {
    const isAtEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
    log.dataset.stopped = String(!isAtEnd);
    follow(log, false);
    if (!isAtEnd) return;
    if (log.dataset.from === 'held') tag = '';
    follow(log, true);
  }, { passive: true });
}

// --- Zone: the browser's own is offered.

function finish() {
  for (const option of document.querySelectorAll('option[data-browser]')) {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    option.value = zone;
    option.textContent = `this browser’s: ${zone}`;
    option.hidden = option.disabled = false;
  }
}

// --- Keys: off in fields, never with modifiers, and off where somebody wants none.

const GO = { h: '', e: 'executions', w: 'workflows', s: 'schedules', l: 'levels', n: 'notifications' };
let isGoing = false;

function move(by) {
  const rows = [...main.querySelectorAll('tbody tr a.k, .items > li a:first-of-type, tbody th a')]
    .filter((link, index, all) => all.findIndex((one) => one.closest('tr, li') === link.closest('tr, li')) === index);
  if (!rows.length) return;
  const at = rows.findIndex((link) => link.closest('tr, li')?.contains(document.activeElement));
  rows[Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
}

const KEYS = {
  '/': () => main.querySelector('input[type=search]')?.focus(),
  j: () => move(1),
  k: () => move(-1),
  g: () => { isGoing = true; setTimeout(() => { isGoing = false; }, 1500); },
  r: () => { const again = document.getElementById('retry'); again?.scrollIntoView(); again?.querySelector('button, input')?.focus(); },
  t: () => document.getElementById('timeline')?.scrollIntoView(),
  f: () => {
    for (const log of document.querySelectorAll('pre.log[data-stopped]')) {
      log.dataset.stopped = 'false';
      follow(log, true);
      if (log.dataset.from === 'held') tag = '';
    }
    refresh();
  },
  z: () => { const zone = document.getElementById('zone'); if (zone) { zone.open = true; zone.querySelector('select')?.focus(); } },
  '?': () => { const keys = document.getElementById('keys'); if (keys) { keys.open = true; keys.querySelector('summary').focus(); keys.scrollIntoView(); } },
};

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === 'Escape') {
    for (const id of ['keys', 'zone']) {
      const part = document.getElementById(id);
      if (part?.open) part.open = false;
    }
    return;
  }
  if (event.target.closest('input, select, textarea') || localStorage.getItem('keys') === 'off') return;
  if (isGoing && event.key in GO) {
    const link = [...document.querySelectorAll('#top nav a')]
      .find((one) => new URL(one.href).pathname === new URL((body.dataset.base || './') + GO[event.key], location.href).pathname);
    isGoing = false;
    event.preventDefault();
    if (link) location.assign(link.href);
    return;
  }
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

const wanted = document.getElementById('keys-on');
if (wanted) {
  wanted.closest('label').hidden = false;
  wanted.checked = localStorage.getItem('keys') !== 'off';
  wanted.addEventListener('change', () => localStorage.setItem('keys', wanted.checked ? 'on' : 'off'));
}

// --- A link to the row of a step that is folded, or among other rows, selects the step.

function reveal() {
  if (!location.hash.startsWith('#s-')) return;
  const id = decodeURIComponent(location.hash.slice(1));
  const address = new URL(location.href);
  if (document.getElementById(id) || !document.getElementById('steps')) return;
  if (address.searchParams.get('step') === id.slice(2)) return;
  address.searchParams.set('step', id.slice(2));
  address.searchParams.delete('rows');
  location.replace(address.href);
}
window.addEventListener('hashchange', reveal);

for (const log of document.querySelectorAll('pre.log[data-follow]')) prepare(log);
reveal();
finish();
found();
later();
setInterval(isAlive, ALIVE);
