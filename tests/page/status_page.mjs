// The status page in a real Chromium while the proxy is overloaded: it draws the overload, loads nothing from other
// hosts, fits a phone, and follows the light and dark theme. It does so over HTTP/2 and TLS, too, behind another proxy: the
// admin listener itself speaks HTTP/1.1. Screenshots go to build/reports/.
//
//   node status_page.mjs    SPILLWAY_BIN_DIR=build/release  CHROMIUM=/usr/bin/chromium

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { chromium } = createRequire(join(root, 'deploy/dev/npm/'))('playwright-core');
const bin = process.env.SPILLWAY_BIN_DIR ?? join(root, 'build/release');
const patienceMs = 60_000;
const dir = mkdtempSync(join(tmpdir(), 'spillway-page-'));
const reports = join(root, 'build/reports');
mkdirSync(reports, { recursive: true });

// A slow API that reports a nearly full pool.
const api = http.createServer((request, response) => {
  if (request.url === '/pay') response.statusCode = 500;
  setTimeout(() => {
    response.setHeader('Endpoint-Load-Metrics', 'TEXT application_utilization=0.9,named_metrics.db_pool_size=20,' +
      'named_metrics.db_pool_overflow=25,named_metrics.db_pool_checkedin=2,named_metrics.db_pool_capacity=50,' +
      'named_metrics.db_pool_waiters=3,named_metrics.db_connection_errors=0');
    response.end('ok');
  }, request.url === '/health' ? 0 : 40);
}).listen(0, '127.0.0.1');
await new Promise((resolve) => api.once('listening', resolve));

writeFileSync(join(dir, 'proxy.yaml'), `
listen: 127.0.0.1:0
admin: {listen: '127.0.0.1:0'}
upstream: {address: '127.0.0.1:${api.address().port}', health: {timeout: 900ms}}
admission: {max_concurrent: 20, pool_aware: false, queue: {max_length: 10, max_wait: 50ms}}
classes:
  - {name: critical, shed_at: 1.00, match: [{path_prefix: /login}]}
  - {name: background, shed_at: 0.60, match: [{path_prefix: /report}]}
  - {name: payments, shed_at: 1.00, match: [{path: /pay}]}
breaker: {min_requests: 5}
log: {format: json, access: off}
`);
const proxy = spawn(join(bin, 'proxy/spillway'), ['--config', join(dir, 'proxy.yaml')], { stdio: ['ignore', 'pipe', 'inherit'] });
const exited = new Promise((resolve) => proxy.once('exit', resolve));
let log = '';
proxy.stdout.on('data', (data) => { log += data; });

async function eventually(what, holds) {
  for (const end = Date.now() + patienceMs; Date.now() < end;) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`not within ${patienceMs} ms: ${what}\n${log}`);
}

let browser;
let front;
let own;
let over = false;
try {
  await eventually('the proxy starts', () => log.includes('admitting'));
  const port = (name) => Number(log.match(new RegExp(`${name} on 127\\.0\\.0\\.1:(\\d+)`))[1]);
  const agent = new http.Agent({ keepAlive: true });
  const request = (path) => new Promise((resolve) => {
    http.get({ host: '127.0.0.1', port: port('listening'), path, agent }, (response) => response.resume().on('close', resolve))
      .on('error', resolve);
  });
  const load = ['/login', '/search?q=private', '/report/7'].flatMap((path) => Array.from({ length: 16 }, async () => {
    while (!over) {
      await request(path);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }));

  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  const admin = `http://127.0.0.1:${port('admin')}`;
  const outside = [], errors = [];
  for (const [name, width, height, colorScheme] of [
    ['desktop-light', 1280, 1100, 'light'], ['desktop-dark', 1280, 1100, 'dark'],
    ['phone-light', 390, 844, 'light'], ['phone-dark', 390, 844, 'dark'],
  ]) {
    const page = await browser.newPage({ viewport: { width, height }, colorScheme });
    page.on('request', (r) => { if (!r.url().startsWith(admin) && !r.url().startsWith('data:')) outside.push(r.url()); });
    page.on('pageerror', (error) => errors.push(String(error)));
    page.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()); });
    await page.goto(admin + '/');
    const text = (selector) => page.locator(selector).innerText();
    await eventually('the page shows that it sheds', async () => (await text('#state')) === 'shedding');
    await eventually('three seconds are drawn', async () =>
      Number(await page.locator('body').getAttribute('data-samples')) >= 3 && await page.locator('canvas').count() === 4);

    const tiles = await text('#tiles');
    for (const tile of ['offered /s', 'answered /s', 'refused /s', 'failed /s', 'queue', 'p99 ms']) {
      assert.ok(tiles.includes(tile), `no ${tile} in ${tiles}`);
    }
    assert.match(await text('#flight-text'), /^\d+ of 20$/);
    assert.equal(await text('#pool-text'), '43 of 50, 3 waiting');
    assert.equal(await page.locator('#pool b').evaluate((mark) => mark.style.left), '80%');
    assert.equal(await page.locator('#pool i').getAttribute('class'), 'warn');
    const classes = await text('#classes tbody');
    for (const of of ['normal', 'critical', 'background']) assert.ok(classes.includes(of), classes);
    const refusals = await text('#refusals tbody');
    assert.match(refusals, /\d+\s+(capacity|queue_full|queue_timeout)\s+(normal|background|critical)\s+GET \//);
    assert.ok(refusals.includes('GET /report/*'), `not grouped: ${refusals}`);
    await page.locator('#refusals button').first().focus();
    await page.keyboard.press('Enter');
    await eventually('the explanation is shown', async () =>
      /No slot .*the limit was 20, class \w+ may use \d+ slots/.test(await text('#refusals tbody')));
    assert.ok(!refusals.includes('private'), 'a query is shown');
    assert.ok(/queue_|capacity/.test(await text('#reasons + .legend')), 'no reason in the legend');
    assert.match(await text('#requests + .legend'), /answered\s*\d+\s+failed\s*\d+\s+refused\s*[1-9]\d*\s+offered\s*\d+/);
    assert.match(await page.locator('#requests').getAttribute('aria-label'), /^answered \d+, failed 0, refused \d+/);
    assert.match(await text('#why'), /^\d+ requests\/s are refused: \w+\. The API serves \d+\/s/);
    assert.match(await text('#facts'), /uptime\s+\d+ s[^]*127\.0\.0\.1:\d+[^]*GET \/health: 200[^]*loaded \d+ s ago/);
    const [columns] = await page.locator('.charts').evaluateAll((all) =>
      all.map((e) => getComputedStyle(e).gridTemplateColumns.split(' ').length));
    assert.equal(columns, width < 500 ? 1 : 2);

    const drawn = await page.locator('#requests canvas').evaluate((canvas) => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const seen = new Set();
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) seen.add(data[i] >> 4 << 8 | data[i + 1] >> 4 << 4 | data[i + 2] >> 4);
      return seen.size;
    });
    assert.ok(drawn >= 3, `${drawn} colours in the chart`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${name} is ${wide} px too wide`);
    const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(dark, colorScheme === 'dark' ? 'rgb(16, 21, 28)' : 'rgb(246, 247, 249)');
    await page.screenshot({ path: join(reports, `status-page-${name}.png`), fullPage: true });
    await page.close();
  }

  // The same page over HTTP/2: everything that it loads comes on one connection.
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-keyout', join(dir, 'key.pem'), '-out', join(dir, 'certificate.pem')], { stdio: 'ignore' });
  writeFileSync(join(dir, 'front.yaml'), `
listen: {address: '127.0.0.1:0', http2: true, tls: {certificate: ${dir}/certificate.pem, key: ${dir}/key.pem}}
admin: {listen: '127.0.0.1:0'}
upstream: {address: '127.0.0.1:${port('admin')}'}
log: {format: json, access: off}
`);
  let frontLog = '';
  front = spawn(join(bin, 'proxy/spillway'), ['--config', join(dir, 'front.yaml')], { stdio: ['ignore', 'pipe', 'inherit'] });
  front.stdout.on('data', (data) => { frontLog += data; });
  await eventually('the proxy in front starts', () => frontLog.includes('admitting'));
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 1100 } });
  const secure = await context.newPage();
  secure.on('pageerror', (error) => errors.push(String(error)));
  const protocols = new Map();
  const devtools = await context.newCDPSession(secure);
  await devtools.send('Network.enable');
  devtools.on('Network.responseReceived', ({ response }) => {
    if (!response.url.startsWith('data:')) protocols.set(new URL(response.url).pathname, response.protocol);
  });
  await secure.goto(`https://127.0.0.1:${frontLog.match(/listening on 127\.0\.0\.1:(\d+)/)[1]}/`);
  await eventually('the page over HTTP/2 shows that it sheds', async () =>
    await secure.locator('#state').innerText() === 'shedding' &&
    Number(await secure.locator('body').getAttribute('data-samples')) >= 3 && await secure.locator('canvas').count() === 4);
  assert.ok(protocols.has('/') && protocols.size >= 2, [...protocols.keys()].join());
  assert.deepEqual([...new Set(protocols.values())], ['h2'], [...protocols].join());
  await secure.screenshot({ path: join(reports, 'status-page-http2.png'), fullPage: true });
  await context.close();

  // One class fails: its circuit alone opens, and the page names it.
  over = true;
  await Promise.all(load);
  const page = await browser.newPage({ viewport: { width: 1280, height: 1100 }, colorScheme: 'light' });
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(admin + '/');
  await eventually('the circuit of one class is shown open', async () => {
    await request('/pay');
    return /payments\s+open, \d+ s/.test(await page.locator('#classes tbody').innerText());
  });
  assert.match(await page.locator('#classes tbody').innerText(), /normal\s+closed/);
  assert.match(await page.locator('#state').innerText(), /^breaker (half-)?open: payments$/);
  await page.screenshot({ path: join(reports, 'status-page-breaker.png'), fullPage: true });

  // The API dies: the page says so in words, and counts what fails while the breaker has not opened yet.
  api.closeAllConnections();
  api.close();
  const seen = new Set();
  await eventually('failures have a number and a cause', async () => {
    await Promise.all(Array.from({ length: 3 }, () => request('/search')));
    const tiles = await page.locator('#tiles').innerText();
    if (/failed \/s\s+[1-9]\d*\s+\d+ by 5xx, connect failed/.test(tiles)) seen.add('tile');
    if (/failed: connect failed/.test(await page.locator('#reasons + .legend').innerText())) seen.add('legend');
    if (/API down/.test(await page.locator('#events').innerText())) seen.add('event');
    const why = await page.locator('#why').innerText();
    if (/^The API is unreachable\..* Last health poll, [\d.]+ s ago: .*refused/.test(why)) seen.add('poll');
    if (/requests\/s fail: no connection to it\./.test(why)) seen.add('cause');
    return seen.size === 5 && (await page.locator('#state').innerText()) === 'API unreachable';
  });
  await page.screenshot({ path: join(reports, 'status-page-down.png'), fullPage: true });
  await page.close();

  // The page of the API, which needs no database for it. Its Content-Security-Policy lets it do its work, and no more.
  writeFileSync(join(dir, 'api.yaml'), `
listen: 127.0.0.1:0
database: {url: 'postgresql:///none?host=/nowhere'}
auth: {secret: for-tests-only-for-tests-only-0123456789}
`);
  let apiLog = '';
  own = spawn(join(bin, 'api/scholarship-api'), ['--config', join(dir, 'api.yaml')], { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [own.stdout, own.stderr]) stream.on('data', (data) => { apiLog += data; });
  const listening = /listening on 127\.0\.0\.1:(\d+)/;
  await eventually('the API starts', () => listening.test(apiLog));
  const docs = await browser.newPage();
  docs.on('pageerror', (error) => errors.push(String(error)));
  docs.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()); });
  await docs.goto(`http://127.0.0.1:${apiLog.match(listening)[1]}/api/v1/docs`);
  await eventually('the API is described', async () => (await docs.locator('#paths').innerText()).includes('/api/v1/search'));
  assert.equal(await docs.locator('body').evaluate((body) => getComputedStyle(body).maxWidth), '896px');
  await docs.close();

  assert.deepEqual(outside, [], 'the page fetches from elsewhere');
  assert.deepEqual(errors, []);

  // What somebody else puts into the status page does not run.
  const guarded = await browser.newPage();
  await guarded.goto(admin + '/');
  assert.equal(await guarded.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.injected = true';
    document.body.append(script);
    return window.injected;
  }), undefined);
  await guarded.close();

  agent.destroy();
  proxy.kill('SIGTERM');
  assert.equal(await exited, 0, log);
  console.log('the status page draws an overload and a dead API, at both widths and in both schemes');
} finally {
  over = true;
  await browser?.close();
  proxy.kill('SIGKILL');
  front?.kill('SIGKILL');
  own?.kill('SIGKILL');
  api.closeAllConnections();
  api.close();
  rmSync(dir, { recursive: true });
}
