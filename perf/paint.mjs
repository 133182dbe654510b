// Opens pages in Chromium, and writes one line of JSON for each: the median time from the
// navigation to the frame after everything is laid out, the elements, and the longest task while
// the graph is moved, 0 where none took 50 ms.
//   node perf/paint.mjs TOOLS CHROMIUM URL...

import { createRequire } from 'node:module';
import { join } from 'node:path';

const [tools, executablePath, ...addresses] = process.argv.slice(2);
const { chromium } = createRequire(join(tools, 'package.json'))('playwright-core');
const ROUNDS = 11;

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
for (const address of addresses) {
  const painted = [];
  let [elements, longest] = [0, 0];
  for (let round = 0; round < ROUNDS; round += 1) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    await page.goto(address);
    painted.push(await page.evaluate(() => new Promise((done) => {
      const after = () => requestAnimationFrame(() => setTimeout(() => {
        const first = performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0;
        const { loadEventEnd } = performance.getEntriesByType('navigation')[0];
        done(Math.max(first, loadEventEnd));
      }));
      if (document.readyState === 'complete') after();
      else window.addEventListener('load', after);
    })));
    elements = await page.evaluate(() => document.querySelectorAll('*').length);
    longest = Math.max(longest, await page.evaluate(async () => {
      const graph = document.querySelector('#graph .scroll');
      if (!graph) return 0;
      graph.scrollIntoView();
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      const tasks = [];
      const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries()));
      observer.observe({ type: 'longtask' });
      for (let step = 0; step < 60; step += 1) {
        graph.scrollLeft += 100;
        await new Promise((done) => requestAnimationFrame(done));
      }
      tasks.push(...observer.takeRecords());
      return Math.max(0, ...tasks.map((task) => task.duration));
    }));
    await context.close();
  }
  painted.sort((one, other) => one - other);
  console.log(JSON.stringify({ painted: painted[ROUNDS >> 1], elements, longest }));
}
await browser.close();
