// The web page in a real browser. The Rust test starts the daemons, answers requests that begin
// with `@` on standard output, and fails if this program does.

import { createRequire } from 'node:module';
import { createServer } from 'node:http';
import { mkdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import assert from 'node:assert/strict';

const require = createRequire(join(process.env.PAGE_TOOLS, 'package.json'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const SHOTS = process.env.PAGE_SHOTS;
mkdirSync(SHOTS, { recursive: true });

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
/** Has the Rust test do something; what it answers is JSON. */
async function tell(what) {
  console.log(`@${what}`);
  const { value } = await lines.next();
  return JSON.parse(value);
}

const setup = await tell('setup');
const base = setup.base;
const browser = await chromium.launch({
  executablePath: process.env.PAGE_CHROMIUM, args: ['--no-sandbox', '--disable-gpu'],
});

const origins = new Set();
const violations = [];
const errors = [];

/** A context of its own, watched for requests, violations and errors. */
async function context(options = {}) {
  const made = await browser.newContext({ timezoneId: 'Europe/Berlin', ...options });
  made.setDefaultTimeout(60000);
  if (options.javaScriptEnabled !== false && !options.bypassCSP) {
    await made.exposeBinding('reportViolation', (_, text) => violations.push(text));
    await made.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        window.reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
      });
    });
  }
  made.on('request', (request) => origins.add(new URL(request.url()).origin));
  made.on('weberror', (error) => errors.push(String(error.error())));
  return made;
}
async function open(path, options) {
  const made = await context(options);
  const page = await made.newPage();
  await page.goto(base + path);
  return page;
}
const texts = (page, selector) => page.locator(selector).allTextContents();

const PAGES = {
  home: '', executions: 'executions', 'execution-failed': `executions/${setup.failed}`,
  'execution-running': `executions/${setup.running}`, 'execution-waiting': `executions/${setup.waiting}`,
  'execution-success': `executions/${setup.long}`,
  workflows: 'workflows', workflow: 'workflows/typed', 'workflow-scheduled': 'workflows/yearly',
  schedules: 'schedules', notifications: 'notifications', levels: 'levels', 'not-found': 'executions/none',
};

const behaviours = {
  async '3 the first visit is small'() {
    const made = await context();
    const page = await made.newPage();
    const cdp = await made.newCDPSession(page);
    let [bytes, requests] = [0, 0];
    cdp.on('Network.loadingFinished', (event) => { bytes += event.encodedDataLength; requests += 1; });
    await cdp.send('Network.enable');
    await page.goto(base + 'executions', { waitUntil: 'networkidle' });
    assert.ok(bytes <= 60000, `${bytes} bytes`);
    assert.ok(requests <= 4, `${requests} requests`);
    console.log(`# first visit: ${bytes} bytes, ${requests} requests`);
    await made.close();
  },

  async '4 list, run, start and cancel work without JavaScript'() {
    const page = await open('executions', { javaScriptEnabled: false });
    await page.locator('a.k').first().click();
    assert.match(page.url(), /executions\/0/);
    await page.goto(base + 'workflows/waiting');
    await page.getByRole('button', { name: 'Start waiting' }).click();
    assert.match(await page.title(), /waiting @\d+ (is running|waits)/);
    await page.locator('summary', { hasText: 'Cancel' }).click();
    await page.getByRole('button', { name: /^Cancel waiting/ }).click();
    while (!/was cancelled/.test(await page.title())) await page.reload();
    await page.context().close();
  },

  async '6 filters live in the address'() {
    const page = await open('executions');
    await page.selectOption('#f-w', 'etl');
    await page.getByRole('button', { name: 'Filter' }).click();
    await page.waitForURL(/workflow=etl/);
    await page.getByRole('link', { name: /^failed/ }).click();
    await page.waitForURL(/status=failed/);
    const rows = await texts(page, 'tbody a.k');
    assert.ok(rows.length > 0 && rows.every((row) => row.startsWith('etl ')), rows.join());
    await page.reload();
    assert.deepEqual(await texts(page, 'tbody a.k'), rows);
    await page.goBack();
    assert.equal(await page.inputValue('#f-w'), 'etl');
    assert.equal(new URL(page.url()).searchParams.get('status'), null);
    await page.goto(base + `executions?q=${encodeURIComponent('@' + setup.failedNumber)}`);
    assert.match(await page.title(), /^etl @/);
    await page.context().close();
  },

  async '7 a link to step, attempt and line opens there'() {
    const page = await open(`executions/${setup.failed}?step=load&attempt=2#o2`);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'o2');
    assert.equal(await page.locator('#output h2').textContent(), 'Output of load');
    assert.equal(await page.locator('#output [aria-current]').textContent(), 'attempt 2');
    await page.goto(base + `executions/${setup.failed}#s-load`);
    assert.equal(await page.evaluate(() => document.activeElement.id), 's-load');
    await page.context().close();
    // At once: a page that rolls to its part moves its links away from the pointer for a second.
    const part = await open(`executions/${setup.thousand}?rows=101#steps`, { reducedMotion: 'no-preference' });
    const places = await part.evaluate(async () => {
      const seen = [];
      for (let frame = 0; frame < 10; frame += 1) {
        await new Promise((done) => requestAnimationFrame(done));
        seen.push(Math.round(document.getElementById('steps').getBoundingClientRect().y));
      }
      return seen;
    });
    assert.equal(new Set(places).size, 1, places.join());
    assert.ok(places[0] >= 0 && places[0] < 100, places.join());
    await part.context().close();
  },

  async '8 a thousand steps are drawn'() {
    const page = await open(`executions/${setup.thousand}?open=*`);
    const paint = await page.evaluate(() => performance.getEntriesByType('paint').map((one) => Math.round(one.startTime)));
    const count = () => page.evaluate(() => document.querySelectorAll('*').length);
    console.log(`# 1,000 steps, all open: painted after ${paint} ms, ${await count()} elements`);
    assert.equal(await page.locator('#graph a[data-key]').count(), 1000);
    // The graph is whole; of the rows, a window is sent, so that the browser has little to lay out.
    const rows = async () => [await page.locator('#timeline tbody tr').count(), await page.locator('#steps tbody tr').count()];
    assert.deepEqual(await rows(), [100, 100]);
    assert.ok(await count() < 13000, `${await count()} elements`);
    // Panning moves what is drawn: nothing is made, and no script runs.
    const made = await page.evaluate(async () => {
      const seen = [];
      const observer = new MutationObserver((changes) => seen.push(...changes.map((one) => one.type)));
      const graph = document.querySelector('#graph .scroll');
      observer.observe(graph, { subtree: true, childList: true, attributes: true });
      for (let at = 0; at < 20; at += 1) {
        graph.scrollLeft += 200;
        await new Promise((done) => requestAnimationFrame(done));
      }
      return [graph.scrollLeft > 0, seen];
    });
    assert.deepEqual(made, [true, []]);
    // What is selected is among the rows, wherever it is.
    await page.locator('#graph a[data-key=s-0512]').click();
    await page.locator('#steps tr.on a[data-key=s-0512]').waitFor();
    assert.deepEqual(await rows(), [100, 100]);
    await page.goto(base + `executions/${setup.thousand}#s-s-0999`);
    await page.waitForFunction(() => document.activeElement.id === 's-s-0999');
    await page.locator('#steps nav.rows').getByRole('link', { name: 'Show all rows' }).click();
    await page.waitForURL(/rows=all/);
    assert.deepEqual(await rows(), [1000, 1000]);
    await page.context().close();

    // Without JavaScript, links lead from row to row: every step is in one of ten pages.
    const plain = await open(`executions/${setup.thousand}`, { javaScriptEnabled: false });
    const seen = [];
    for (;;) {
      seen.push(...await texts(plain, '#steps tbody th'));
      const next = plain.locator('#steps nav.rows').getByRole('link', { name: /^Next/ });
      if (await next.count() === 0) break;
      const to = new URL(await next.getAttribute('href'), plain.url()).href;
      await next.click();
      await plain.waitForURL(to);
    }
    assert.equal(new Set(seen).size, 1000);
    assert.equal(seen.length, 1000);
    await plain.context().close();
  },

  async '9 folding: 500 equal siblings are one node that opens'() {
    const page = await open(`executions/${setup.wide}`);
    const nodes = await texts(page, '#graph a[data-key] text.b');
    assert.deepEqual(nodes, ['first', 'part ×500', 'last']);
    await page.locator('#graph a[data-key]', { hasText: '×500' }).click();
    await page.locator('#graph a[data-key]').nth(501).waitFor();
    assert.equal(await page.locator('#graph a[data-key]').count(), 502);
    await page.getByRole('link', { name: 'Fold equal steps' }).click();
    await page.waitForURL((url) => !url.searchParams.has('open'));
    assert.equal(await page.locator('#graph a[data-key]').count(), 3);
    await page.context().close();
  },

  async '10 nodes never overlap, and edges end at nodes'() {
    for (const id of [setup.failed, setup.wide, setup.thousand]) {
      const page = await open(`executions/${id}`);
      const wrong = await page.evaluate(() => {
        const nodes = [...document.querySelectorAll('#graph a[data-key]')].map((node) => {
          const rect = [...node.querySelectorAll('rect.node')].at(-1);
          return ['x', 'y', 'width', 'height'].map((name) => Number(rect.getAttribute(name)));
        });
        const wrong = [];
        nodes.forEach(([x, y, w, h], at) => nodes.slice(0, at).forEach(([a, b, c, d]) => {
          if (x < a + c && a < x + w && y < b + d && b < y + h) wrong.push(`overlap at ${x} ${y}`);
        }));
        const at = (px, py, side) => nodes.some(([x, y, w, h]) => x + side * w === px && y + h / 2 === py);
        for (const path of document.querySelectorAll('#graph .edges path')) {
          for (const part of path.getAttribute('d').split('M').slice(1)) {
            const [fx, fy] = part.match(/^-?\d+ -?\d+/)[0].split(' ').map(Number);
            const numbers = part.match(/-?\d+/g).map(Number);
            const flat = /H-?\d+$/.test(part);
            const [tx, ty] = flat ? [numbers.at(-1), null] : numbers.slice(-2);
            if (!at(fx, fy, 1)) wrong.push(`begin ${part}`);
            if (flat ? !nodes.some(([x]) => x === tx) : !at(tx, ty, 0)) wrong.push(`end ${part}`);
          }
        }
        return wrong;
      });
      assert.deepEqual(wrong, []);
      await page.context().close();
    }
  },

  async '11 the layout stays while states change, and focus and open parts do'() {
    const started = await tell('start waiting');
    const page = await open(`executions/${started.id}`);
    const places = () => page.$$eval('#graph rect.node', (all) => all.map((one) => `${one.getAttribute('x')} ${one.getAttribute('y')}`));
    const before = await places();
    await page.locator('#zone summary').click();
    await page.locator('#zone-named').fill('typed');
    await page.locator('#steps a.k').first().focus();
    await tell('go');
    await page.waitForFunction(() => document.title.includes('succeeded'));
    assert.deepEqual(await places(), before);
    assert.equal(await page.evaluate(() => document.activeElement.closest('#steps') !== null), true);
    assert.equal(await page.locator('#zone').getAttribute('open') !== null, true);
    assert.equal(await page.inputValue('#zone-named'), 'typed');
    await page.context().close();
  },

  async '12 graph, timeline and output select one another'() {
    const page = await open(`executions/${setup.failed}`);
    for (const part of ['#graph', '#timeline', '#steps']) {
      for (const name of ['extract', 'load']) {
        await page.locator(`${part} a[data-key=${name}]`).first().click();
        await page.locator('#output h2', { hasText: `Output of ${name}` }).waitFor();
        const marked = await page.$$eval('tr.on', (rows) => rows.map((row) => [row.closest('section').id, row.querySelector('a').dataset.key]));
        assert.deepEqual(marked, [['timeline', name], ['steps', name]]);
        assert.equal(new URL(page.url()).searchParams.get('step'), name);
        assert.equal(await page.locator(`#graph a.on[data-key=${name}]`).count(), 1);
      }
    }
    await page.goBack();
    await page.locator('#output h2', { hasText: 'Output of extract' }).waitFor();
    await page.context().close();
  },

  async '13 and 14 a short step can be hit, and a pause of hours is cut'() {
    const page = await open(`executions/${setup.long}`);
    assert.equal(await page.locator('table.gantt').getAttribute('data-cuts'), '1');
    const sizes = await page.$$eval('#timeline tbody a .hit', (all) => all.map((one) => one.getBoundingClientRect().width));
    assert.ok(sizes.length >= 3 && sizes.every((size) => size >= 24), sizes.join());
    const bars = await page.$$eval('#timeline tbody a .b-ok', (all) => all.map((one) => one.getBoundingClientRect().width));
    assert.ok(bars.every((size) => size >= 3), bars.join());
    await page.getByRole('link', { name: 'Show without the cut' }).click();
    await page.waitForURL(/scale=true/);
    assert.equal(await page.locator('table.gantt').getAttribute('data-cuts'), '0');
    await page.context().close();
  },

  async '15 retries and their waits are separate bars'() {
    const page = await open(`executions/${setup.failed}`);
    const row = page.locator('#timeline tbody tr', { hasText: 'load' }).first();
    assert.equal(await row.locator('a .b-fail').count(), 3);
    assert.equal(await row.locator('.b-pause').count(), 2);
    await page.context().close();
  },

  async '16 output is followed at its end, not while somebody reads, and again by one key'() {
    const started = await tell('start live');
    const page = await open(`executions/${started.id}`);
    const log = page.locator('#output pre.log');
    await log.getByText('line 300 of').waitFor();
    const isAtEnd = () => log.evaluate((one) => one.scrollTop > 0 && one.scrollTop + one.clientHeight >= one.scrollHeight - 8);
    assert.equal(await isAtEnd(), true);
    await log.evaluate((one) => { one.scrollTop = 0; });
    await page.locator('#following', { hasText: 'stopped' }).waitFor();
    await tell('touch more');
    await page.locator('#following', { hasText: /stopped, [1-9][0-9,]* bytes more/ }).waitFor();
    assert.equal(await log.evaluate((one) => one.scrollTop), 0);
    await page.keyboard.press('f');
    await page.locator('#following', { hasText: 'following the end' }).waitFor();
    assert.equal(await isAtEnd(), true);
    assert.equal(await log.getByText('line 500 of').count(), 1);
    await tell('touch finish');
    await page.waitForFunction(() => document.title.includes('succeeded'));
    assert.equal(await page.locator('#following').count(), 0);
    await page.context().close();
  },

  async '17 hostile output and names do no harm'() {
    const page = await open(`executions/${setup.hostile}`);
    const shown = await texts(page, '#output pre.log span');
    const expected = ['<script>window.pwned = 1</script>', '\\u{1b}[31mred\\u{1b}[0m \\u{7}', 'a\\u{0}b', '\uFFFD\uFFFD broken', '"\'&amp;'];
    for (const text of expected) assert.ok(shown.some((line) => line.endsWith(text)), `${text} in ${JSON.stringify(shown.map((line) => line.slice(0, 80)))}`);
    assert.ok(shown.some((line) => line.length > 60000));
    for (const path of ['', 'executions', 'workflows', `workflows/${encodeURIComponent('hostile')}`]) {
      await page.goto(base + path);
      assert.equal(await page.evaluate(() => window.pwned), undefined);
      assert.equal(await page.evaluate(() => document.querySelectorAll('main script, main img, main iframe').length), 0);
    }
    const width = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(width <= 0, `${width}`);
    await page.context().close();
  },

  async '18 twenty tabs on a running execution let the next one load'() {
    const made = await context();
    const pages = await Promise.all(Array.from({ length: 20 }, () => made.newPage()));
    await Promise.all(pages.map((page) => page.goto(base + `executions/${setup.running}`)));
    const next = await made.newPage();
    await next.goto(base + `executions/${setup.running}`, { timeout: 20000 });
    assert.match(await next.title(), /is running/);
    await made.close();
  },

  async '19 a hidden tab asks nothing; shown, it is right'() {
    const made = await context();
    await made.addInitScript(() => {
      let hidden = false;
      Object.defineProperty(document, 'hidden', { get: () => hidden });
      window.hide = (value) => { hidden = value; document.dispatchEvent(new Event('visibilitychange')); };
    });
    const page = await made.newPage();
    await page.clock.install();
    await page.goto(base + `executions/${setup.running}`);
    let asked = 0;
    page.on('request', () => { asked += 1; });
    await page.evaluate(() => window.hide(true));
    // What was asked before is answered.
    await page.waitForLoadState('networkidle');
    asked = 0;
    await page.clock.runFor(120000);
    assert.equal(asked, 0);
    const answered = page.waitForResponse((response) => response.url().includes(setup.running));
    await page.evaluate(() => window.hide(false));
    assert.equal((await answered).status(), 200);
    await made.close();
  },

  async '19 a page that stays open keeps nothing of what it has shown'() {
    const made = await context();
    const page = await made.newPage();
    await page.clock.install();
    await page.goto(base + `executions/${setup.running}`);
    const cdp = await made.newCDPSession(page);
    const update = async () => {
      const answered = page.waitForResponse((response) => response.url().includes(setup.running));
      await page.clock.runFor(1000);
      await (await answered).finished();
    };
    const held = async () => {
      await page.waitForLoadState('networkidle');
      await cdp.send('HeapProfiler.collectGarbage');
      await cdp.send('HeapProfiler.collectGarbage');
      return cdp.send('Memory.getDOMCounters');
    };
    for (let at = 0; at < 20; at += 1) await update();
    const before = await held();
    for (let at = 0; at < 300; at += 1) await update();
    const after = await held();
    console.log(`# nodes ${before.nodes}, after 300 updates ${after.nodes}; listeners ${before.jsEventListeners}, ${after.jsEventListeners}`);
    assert.equal(after.jsEventListeners, before.jsEventListeners);
    // A document that was read last may be there still; each has some 700 nodes.
    assert.ok(after.nodes < before.nodes + 3000, `${before.nodes}, then ${after.nodes}`);
    await made.close();
  },

  async '21 a start that is not stored is shown as such'() {
    const page = await open('workflows/waiting');
    await tell('lock');
    await page.getByRole('button', { name: 'Start waiting' }).click();
    await page.getByText('Started, but not stored yet.').waitFor();
    await tell('unlock');
    await page.waitForFunction(() => !document.body.textContent.includes('not stored yet'));
    await page.locator('summary', { hasText: 'Cancel' }).click();
    await page.getByRole('button', { name: /^Cancel waiting/ }).click();
    await page.waitForFunction(() => document.title.includes('was cancelled'));
    await page.context().close();
  },

  async '22 neither a foreign form nor a frame can do anything; sessions end'() {
    const target = `${base}executions/${setup.running}`;
    const server = createServer((_, answer) => {
      answer.setHeader('content-type', 'text/html');
      answer.end(`<form method=post action="${target}/cancel"><button>go</button></form><iframe src="${target}"></iframe>`);
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    const made = await browser.newContext();
    const page = await made.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const frame = page.frames().find((one) => one !== page.mainFrame());
    await frame.waitForLoadState();
    assert.equal(await frame.locator('#main').count(), 0);
    assert.match(frame.url(), /^chrome-error:/);
    const answered = page.waitForResponse((response) => response.url().endsWith('/cancel'));
    await page.locator('button').first().click();
    assert.equal((await answered).status(), 403);
    await page.goto(target);
    assert.match(await page.title(), /is running/);
    await made.close();
    server.close();

    const guarded = await browser.newContext();
    const tab = await guarded.newPage();
    await tab.goto(setup.guarded + 'executions?status=failed');
    assert.match(tab.url(), /login\?next=/);
    await tab.fill('#token', 'wrong');
    await tab.getByRole('button', { name: 'Log in' }).click();
    await tab.getByText('4 tries are left this minute').waitFor();
    await tab.fill('#token', setup.token);
    await tab.getByRole('button', { name: 'Log in' }).click();
    await tab.waitForURL(/executions\?status=failed/);
    assert.equal(await tab.evaluate(() => document.cookie), '');
    const [cookie] = await guarded.cookies();
    assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, 'Strict']);
    // The page may ask the API.
    const status = await tab.evaluate(async () => (await fetch('api/v1/workflows')).status);
    assert.equal(status, 200);
    await tab.goto(setup.guarded + 'workflows/waiting');
    await tab.getByRole('button', { name: 'Start waiting' }).click();
    await tab.getByText(', anna, on this page from 127.0.0.1').waitFor();
    await tab.getByRole('button', { name: 'Log out' }).click();
    await tab.waitForURL(/login$/);
    await guarded.addCookies([cookie]);
    await tab.goto(setup.guarded);
    assert.match(tab.url(), /login/);
    await guarded.close();
  },

  async '24 everything by keyboard'() {
    const page = await open('executions');
    await page.keyboard.press('/');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'f-q');
    await page.keyboard.press('Escape');
    await page.locator('h1').click();
    const row = () => page.evaluate(() => document.activeElement.closest('tr')?.querySelector('a')?.textContent);
    const names = await texts(page, 'tbody a.k');
    await page.keyboard.press('j');
    assert.equal(await row(), names[0]);
    await page.keyboard.press('j');
    assert.equal(await row(), names[1]);
    await page.keyboard.press('k');
    assert.equal(await row(), names[0]);
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, 'none');
    await page.keyboard.press('Enter');
    await page.waitForURL(/executions\/0/);
    await page.keyboard.press('?');
    await page.locator('#keys[open]').waitFor();
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('#keys[open]').count(), 0);
    await page.keyboard.press('g');
    await page.keyboard.press('w');
    await page.waitForURL(/workflows$/);
    await page.keyboard.press('g');
    await page.keyboard.press('s');
    await page.waitForURL(/schedules$/);
    await page.keyboard.press('g');
    await page.keyboard.press('n');
    await page.waitForURL(/notifications$/);
    await page.context().close();
  },

  async '25 zones, daylight saving, dark and still'() {
    const page = await open(`executions/${setup.dst}`, { timezoneId: 'America/New_York', colorScheme: 'dark', reducedMotion: 'reduce' });
    await page.locator('#zone summary').click();
    await page.selectOption('#zone-of', 'America/New_York');
    await page.getByRole('button', { name: 'Set the zone' }).click();
    await page.locator('#zone summary', { hasText: 'America/New_York' }).waitFor();
    await page.locator('#zone summary').click();
    await page.locator('#zone-named').fill('Europe/Berlin');
    await page.getByRole('button', { name: 'Set the zone' }).click();
    await page.locator('#zone summary', { hasText: 'Europe/Berlin' }).waitFor();
    assert.match(page.url(), new RegExp(setup.dst));
    // From 02:30 CEST to 02:30 CET an hour passes.
    const head = await page.locator('.head').first().textContent();
    assert.match(head, /02:30:00 to 02:30:00 CET: 1\u00a0h/);
    const look = await page.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.documentElement).scrollBehavior]);
    assert.deepEqual(look, ['rgb(17, 20, 26)', 'auto']);
    await page.context().close();
  },

  async '23 axe finds nothing, and every page is photographed'() {
    const found = [];
    for (const colorScheme of ['light', 'dark']) {
      for (const width of [1280, 390]) {
        const made = await browser.newContext({ colorScheme, bypassCSP: true, viewport: { width, height: 900 }, timezoneId: 'Europe/Berlin' });
        const page = await made.newPage();
        for (const [name, path] of [...Object.entries(PAGES), ['login', null]]) {
          await page.goto(path === null ? setup.guarded + 'login' : base + path);
          await page.screenshot({ path: join(SHOTS, `${name}-${width}-${colorScheme}.png`), fullPage: true });
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          if (wide > 0) found.push(`${name} ${width}: scrolls sideways by ${wide}`);
          if (width === 390 && colorScheme === 'light') {
            // What stands in a sentence is as high as its line, and lines of output have numbers.
            const small = await page.evaluate(() => [...document.querySelectorAll('tbody th a, td a.k, .crumb a, .panel > header a, .logbar a, .rows a, .btn, summary, select, input:not([type=radio], [type=checkbox])')]
              .filter((one) => one.checkVisibility() && !one.closest('svg') && one.getBoundingClientRect().height < 24)
              .map((one) => one.outerHTML.slice(0, 120)));
            for (const one of small) found.push(`${name} ${width}: too small to be hit: ${one}`);
          }
          await page.evaluate(axe);
          const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
          for (const one of result.violations) {
            found.push(`${name} ${width} ${colorScheme}: ${one.id} ${one.nodes.map((node) => node.html.slice(0, 120)).slice(0, 3).join(' | ')}`);
          }
        }
        await made.close();
      }
    }
    assert.deepEqual(found, []);
  },

  // Last, since it ends the daemon.
  async '20 a daemon that is killed is noticed, and so is its return'() {
    const page = await open('workflows/waiting');
    await tell('kill');
    await page.locator('#gone').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Start waiting' }).isDisabled(), true);
    await tell('restart');
    await page.locator('#gone').waitFor({ state: 'detached' });
    assert.equal(await page.getByRole('button', { name: 'Start waiting' }).isEnabled(), true);
    await page.context().close();
  },

  async '1 no request leaves the origin'() {
    assert.deepEqual([...origins], [new URL(base).origin]);
  },

  async '2 nothing violates the policy, and no script fails'() {
    assert.deepEqual(violations, []);
    assert.deepEqual(errors, []);
  },
};

const only = process.env.PAGE_ONLY;
let failed = 0;
for (const [name, behaviour] of Object.entries(behaviours)) {
  if (only && !name.startsWith(only)) continue;
  const begin = Date.now();
  try {
    await behaviour();
    console.log(`# ok ${name} (${Date.now() - begin} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`# FAILED ${name}: ${String(error.stack || error).replaceAll('\n', '\n#   ')}`);
  }
}
await browser.close();
process.exit(failed ? 1 : 0);
