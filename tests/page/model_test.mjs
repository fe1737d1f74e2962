// What the status page says, without a browser: proxy/admin/page/model.js by itself, and the contrast of page.css.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const read = (name) => readFileSync(new URL(`../../proxy/admin/page/${name}`, import.meta.url), 'utf8');
const model = new Function(read('model.js') + '; return model;')();

/// Seconds of calm; `last` overrides the newest value of a column.
function history(last = {}, seconds = 3) {
  const column = (value) => Array(seconds).fill(value);
  const made = { time: column(0).map((_, i) => 100 + i), refused: { capacity: column(0), breaker: column(0) },
    would_refuse: { capacity: column(0) }, failed: { status: column(0), connect_failed: column(0) }, refusals: [],
    healthy: column(1), reloaded: column(5) };
  for (const name of ['offered', 'answered', 'breaker', 'draining', 'maintenance', 'queue', 'streams']) made[name] = column(0);
  made.pool_pct = column(-1);
  for (const [path, value] of Object.entries(last)) {
    const [group, name] = path.split('.');
    const place = name ? made[group][name] : made[group];
    place[place.length - 1] = value;
  }
  return made;
}

function stats(change = {}) {
  const of_class = { name: 'normal', share: 80, service_ms: 41, breaker_state: 'closed', breaker_remaining_ms: 0, breaker_ramp: 1 };
  return { draining: false, maintenance: false, client_connections: 3, admission: { in_flight: 80, limit: 100 },
    upstream: { healthy: true, last_poll: 'GET /health: 200 in 1 ms', last_poll_age_seconds: 0.5, breaker: 0 },
    control: { mode: 'enforce', reach_breaker_state: 'closed', breaker_remaining_ms: 0, breaker_ramp: 1, classes: [of_class] },
    ...change };
}

test('each state has its word, and a sentence with numbers', () => {
  const shown = (s, h) => Object.values(model.state(s, h));
  assert.deepEqual(shown(stats(), history({ offered: 9, answered: 9 })),
    ['serving', 'good', 'Every request is served. Last health poll, 0.5 s ago: GET /health: 200 in 1 ms.']);
  // The breaker is closed and the API is up by its polls, yet every request fails.
  assert.deepEqual(shown(stats(), history({ offered: 100, 'failed.connect_failed': 100 })),
    ['API failing', 'bad', '100 requests/s fail: no connection to it. Last health poll, 0.5 s ago: GET /health: 200 in 1 ms.']);
  assert.equal(shown(stats(), history({ offered: 100, 'failed.status': 1 }))[0], 'some failures');
  assert.deepEqual(shown(stats(), history({ offered: 90, answered: 50, 'refused.capacity': 40 })),
    ['shedding', 'warn', '40 requests/s are refused: capacity. The API serves 50/s with 80 of 100 slots in use.']);
  const down = { ...stats().upstream, healthy: false, last_poll: 'connect: Connection refused', breaker: 2 };
  const open = { ...stats().control, reach_breaker_state: 'open', breaker_remaining_ms: 7300, };
  open.breaker_state = 'open';
  assert.deepEqual(shown(stats({ upstream: down, control: open }), history({ offered: 9, 'refused.breaker': 9 })),
    ['API unreachable', 'bad', 'The API is unreachable. The breaker is open, 8 s. 9 requests/s are refused: breaker. ' +
      'Last health poll, 0.5 s ago: connect: Connection refused.']);
  assert.equal(shown(stats({ control: open }), history())[0], 'breaker open');
  assert.equal(shown(stats({ draining: true, upstream: down }), history())[0], 'draining');
  const shadow = { ...stats().control, mode: 'shadow' };
  assert.deepEqual(shown(stats({ control: shadow }), history({ offered: 9, answered: 9, 'would_refuse.capacity': 4 })),
    ['shadow', 'warn', 'Shadow: nothing is refused. In mode enforce, 4 requests/s would be: capacity.']);
});

test('a change between two samples is an event', () => {
  assert.deepEqual(model.events(history()), []);
  const words = (last) => model.events(history(last)).map((e) => `${e.time} ${e.text}`);
  assert.deepEqual(words({ healthy: 0, breaker: 2 }), ['102 API down', '102 breaker open']);
  assert.deepEqual(words({ draining: 1, reloaded: 6 }), ['102 drain', '102 configuration reloaded']);
});

test('counts of refusals are scaled to all of them, and explained by the numbers of their moment', () => {
  const some = history({ 'refused.capacity': 4000, queue: 7 });
  const group = { at_ms: 102_300, reason: 'capacity', class: 'normal', method: 'GET', path: '/', in_flight: 81, limit: 99, waited_ms: 0 };
  some.refusals = [{ ...group, count: 75 }, { ...group, path: '/b', count: 25 }];
  assert.deepEqual(model.refusals(some).map((g) => [g.count, g.about]), [[3000, true], [1000, true]]);
  some.refused.capacity = [0, 0, 100];
  assert.deepEqual(model.refusals(some).map((g) => [g.count, g.about]), [[75, false], [25, false]]);
  assert.equal(model.explain(group, some, stats()),
    'No slot was free for the class: 81 requests were in flight, the limit was 99, class normal may use 80 slots.');
  assert.match(model.explain({ ...group, reason: 'queue_timeout', waited_ms: 52.4 }, some, stats()),
    /it had waited 52\.4 ms; .*; 7 were waiting; a request of the class takes 41 ms/);
});

test('durations, circuits and stacks', () => {
  assert.deepEqual([0.2, 59, 61, 3600, 98765].map(model.duration), ['0 s', '59 s', '1 min 1 s', '1 h', '1 d 3 h']);
  assert.equal(model.circuit({ breaker_state: 'closed', breaker_ramp: 0.25 }), 'closed, 25 %');
  assert.equal(model.circuit({ breaker_state: 'half_open', breaker_ramp: 1 }), 'half-open');
  assert.deepEqual(model.stack([[1, 2], [10, 20], [100, 200]]), [[1, 2], [11, 22], [111, 222]]);
});

// WCAG 2.2, 1.4.3 and 1.4.11.
function contrast(a, b) {
  const luminance = (hex) => {
    const wide = hex.length === 4 ? hex.replace(/[0-9a-f]/gi, '$&$&') : hex;
    const [r, g, bl] = [1, 3, 5].map((at) => parseInt(wide.slice(at, at + 2), 16) / 255)
      .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * bl;
  };
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

test('text has a contrast of 4.5 and lines one of 3, in both schemes', () => {
  const css = read('page.css');
  const [light, dark] = css.match(/:root \{[^}]*\}/g)
    .map((rule) => Object.fromEntries([...rule.matchAll(/--([\w-]+): (#[0-9a-f]+)/g)].map(([, name, value]) => [name, value])));
  assert.deepEqual(Object.keys(dark).sort(), Object.keys(light).sort());
  for (const scheme of [light, dark]) {
    for (const text of ['text', 'soft', 'accent', 'good', 'warn', 'bad']) {
      for (const behind of ['back', 'card']) {
        const found = contrast(scheme[text], scheme[behind]);
        assert.ok(found >= 4.5, `--${text} ${scheme[text]} on --${behind} ${scheme[behind]}: ${found.toFixed(2)}`);
      }
    }
    for (const role of ['answered', 'refused', 'failed', 'limit', 'queue', 'f1', 'f2', 'r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7']) {
      const found = contrast(scheme[role], scheme.card);
      assert.ok(found >= 3, `--${role} ${scheme[role]} on --card: ${found.toFixed(2)}`);
    }
  }
  for (const [, background] of css.matchAll(/\.badge[^{]*\{[^}]*background: (#[0-9a-f]+)/g)) {
    assert.ok(contrast('#ffffff', background) >= 4.5, `white on ${background}`);
  }
});
