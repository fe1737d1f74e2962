'use strict';
// What the page says, computed from /stats and /stats/history without a document: a test runs it alone.
const model = (() => {
  const last = (column) => column.length ? column[column.length - 1] : 0;
  const number = (value) => value >= 100 ? Math.round(value).toLocaleString('en') : String(Math.round(value * 10) / 10);
  const CAUSES = {
    status: 'it answers 5xx', connect_failed: 'no connection to it', tls_failed: 'TLS with it fails', connect_timeout: 'it accepts no connection in time',
    upstream_closed: 'it closes without an answer', response_timeout: 'it answers too late',
    response_invalid: 'its answers are malformed', response_cut: 'its answers break off', internal: 'an internal error',
    loop: 'its address leads back to the proxy',
  };

  /// What a sentence says after "the API" of the most frequent cause.
  const cause = (name) => CAUSES[name] ?? name;

  function duration(seconds) {
    const parts = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
    const at = parts.findIndex(([, size]) => seconds >= size);
    if (at < 0) return '0 s';
    const [unit, size] = parts[at];
    const text = Math.floor(seconds / size) + ' ' + unit;
    const rest = parts[at + 1] ? Math.floor(seconds % size / parts[at + 1][1]) : 0;
    return rest > 0 ? `${text} ${rest} ${parts[at + 1][0]}` : text;
  }

  /// The sum of a group's columns in its last `count` samples.
  function total(group, count = 1) {
    return Object.values(group).reduce((sum, column) => sum + column.slice(-count).reduce((a, b) => a + b, 0), 0);
  }

  /// The name of the group's largest column in its last `count` samples; '' if all are 0.
  function most(group, count = 1) {
    const sums = Object.entries(group).map(([name, column]) => [name, column.slice(-count).reduce((a, b) => a + b, 0)]);
    const [name, sum] = sums.reduce((best, each) => each[1] > best[1] ? each : best, ['', 0]);
    return sum > 0 ? name : '';
  }

  /// The breaker of a class, or that for all classes: how long it stays open, or what share it admits again.
  function circuit({ breaker_state: state, breaker_remaining_ms: left, breaker_ramp: ramp }) {
    if (state === 'open') return 'open, ' + number(Math.ceil(left / 1000)) + ' s';
    return state.replace('_', '-') + (ramp < 1 ? ', ' + number(Math.round(100 * ramp)) + ' %' : '');
  }

  /// What is the matter, in a word or two and in a sentence. `kind` is good, warn or bad.
  function state(stats, history) {
    const { control, upstream } = stats;
    const offered = last(history.offered), failed = total(history.failed), refused = total(history.refused);
    const poll = 'Last health poll' + (upstream.last_poll_age_seconds >= 0
      ? `, ${number(upstream.last_poll_age_seconds)} s ago: ${upstream.last_poll}.` : ': none yet.');
    const failing = failed > 0 ? `${number(failed)} requests/s fail: ${cause(most(history.failed))}. ` : '';
    const refusing = refused > 0 ? `${number(refused)} requests/s are refused: ${most(history.refused)}. ` : '';
    const reach = { ...control, breaker_state: control.reach_breaker_state };
    const breaker = reach.breaker_state === 'closed' ? '' : `The breaker is ${circuit(reach)}. `;
    const say = (word, kind, text) => ({ word, kind, text: text.trim() });

    if (stats.draining) {
      return say('draining', 'warn', 'This instance is shutting down: it ends what it has begun. ' +
        `${number(stats.admission.in_flight)} requests are in flight, ${number(stats.client_connections)} connections open.`);
    }
    if (stats.maintenance) return say('maintenance', 'warn', 'Maintenance: every request but critical ones is refused. ' + refusing);
    if (!upstream.healthy) return say('API unreachable', 'bad', 'The API is unreachable. ' + breaker + failing + refusing + poll);
    if (control.reach_breaker_state !== 'closed') {
      return say('breaker ' + circuit(reach).split(',')[0], 'bad', breaker + failing + refusing + poll);
    }
    const broken = control.classes.filter((c) => c.breaker_state !== 'closed');
    if (broken.length) {
      const words = ['closed', 'half-open', 'open'][upstream.breaker];
      return say(`breaker ${words}: ${broken.map((c) => c.name).join(', ')}`, 'bad',
        broken.map((c) => `The breaker of ${c.name} is ${circuit(c)}.`).join(' ') + ' ' + failing + refusing + poll);
    }
    if (failed > 0) {
      const grave = failed >= 0.05 * offered;
      return say(grave ? 'API failing' : 'some failures', grave ? 'bad' : 'warn', failing + refusing + poll);
    }
    if (control.mode === 'shadow' && total(history.would_refuse) > 0) {
      return say('shadow', 'warn', `Shadow: nothing is refused. In mode enforce, ${number(total(history.would_refuse))} ` +
        `requests/s would be: ${most(history.would_refuse)}.`);
    }
    if (refused > 0) {
      return say('shedding', 'warn', refusing + `The API serves ${number(last(history.answered))}/s with ` +
        `${stats.admission.in_flight} of ${stats.admission.limit} slots in use.`);
    }
    if (control.mode !== 'enforce') return say(control.mode, 'good', `Mode ${control.mode}: nothing is refused. ` + poll);
    return say('serving', 'good', (offered > 0 ? 'Every request is served. ' : 'No requests at the moment. ') + poll);
  }

  /// What changed between two samples, oldest first: {time, text, kind}.
  function events(history) {
    const found = [];
    const breakers = ['closed', 'half-open', 'open'];
    for (let i = 1; i < history.time.length; ++i) {
      const add = (text, kind) => found.push({ time: history.time[i], text, kind });
      const changed = (name) => history[name][i] !== history[name][i - 1];
      if (changed('healthy')) history.healthy[i] ? add('API up', 'good') : add('API down', 'bad');
      if (changed('breaker')) add('breaker ' + breakers[history.breaker[i]], history.breaker[i] === 0 ? 'good' : 'bad');
      if (changed('draining')) add('drain', 'warn');
      if (changed('maintenance')) add(history.maintenance[i] ? 'maintenance begins' : 'maintenance ends', 'warn');
      if (changed('reloaded')) add('configuration reloaded', 'warn');
    }
    return found;
  }

  /// Groups of refusals with counts for all of them: of each reason only some are remembered each second, but the
  /// history counts every one. The result says `about` where the count is scaled up.
  function refusals(history) {
    const remembered = {};
    for (const group of history.refusals) remembered[group.reason] = (remembered[group.reason] ?? 0) + group.count;
    return history.refusals.map((group) => {
      const exact = (history.refused[group.reason] ?? []).slice(-60).reduce((a, b) => a + b, 0);
      const scale = Math.max(1, exact / remembered[group.reason]);
      const about = scale > 1.1;
      return { ...group, count: about ? Math.round(group.count * scale) : group.count, about };
    });
  }

  /// Why the last request of a group was refused: a sentence, with the numbers of that moment.
  function explain(group, history, stats) {
    const i = history.time.findLastIndex((t) => t <= group.at_ms / 1000 + 1);
    const at = (name) => i >= 0 ? history[name][i] : 0;
    const c = stats.control.classes.find((each) => each.name === group.class) ?? {};
    const slots = `${group.in_flight} requests were in flight, the limit was ${group.limit}, class ${group.class} may use ${c.share} slots`;
    const queue = `${at('queue')} were waiting`;
    const waited = `it had waited ${number(group.waited_ms)} ms`;
    const pool = at('pool_pct') < 0 ? 'the API reports no pool' : `the database pool was ${at('pool_pct')} % in use`;
    const service = `a request of the class takes ${number(c.service_ms ?? 0)} ms`;
    const words = {
      capacity: `No slot was free for the class: ${slots}.`,
      queue_full: `No slot was free and the queue had no room: ${slots}; ${queue}; ${service}.`,
      queue_timeout: `No slot came free in time: ${waited}; ${slots}; ${queue}; ${service}.`,
      pool: `The class is refused at this use of the pool: ${pool}; ${slots}.`,
      fairness: `Its client held more than its share while no slot was free: ${slots}.`,
      cohort: `Under standing overload it was another client's turn: ${slots}; ${queue}.`,
      streams: `Too many streams were open: ${at('streams')}.`,
      deadline: `It could not finish within its X-Request-Timeout: ${waited}; ${service}.`,
      breaker: `The API was failing, so the breaker kept requests away: ${['closed', 'half-open', 'open'][at('breaker')]} in that second.`,
      maintenance: 'Maintenance is on: only critical requests are let through.',
      connections: 'limits.connections was reached.',
      draining: 'This instance is shutting down.',
      upstream_connections: `upstream.max_connections was reached: ${slots}.`,
    };
    return words[group.reason] ?? `${slots}; ${queue}.`;
  }

  /// Columns on top of each other, for areas: the last is the sum of all.
  function stack(columns) {
    let below = null;
    return columns.map((column) => below = below ? column.map((value, i) => value + below[i]) : column);
  }

  return { last, number, duration, total, most, cause, circuit, state, events, refusals, explain, stack };
})();
