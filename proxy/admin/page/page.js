'use strict';
// Draws /stats and /stats/history, and then adds the samples of /stats/latest each second.
const MINUTES = 15, COLOURS = ['#2f7ed8', '#2ca66f', '#e09b2d', '#d9534f', '#8e63ce', '#17a2b8', '#c2577c', '#7f8c3b', '#6c757d', '#ab6e4a'];
const $ = (id) => document.getElementById(id);
const dark = matchMedia('(prefers-color-scheme: dark)');
const last = (column) => column.length ? column[column.length - 1] : 0;
const number = (value) => value >= 100 ? Math.round(value).toLocaleString('en') : String(Math.round(value * 10) / 10);
const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString('en-GB');
let history = null, charts = [], shown = '';

// A column may be nested by one level: refused.capacity.
function columns(data, visit) {
  for (const [name, value] of Object.entries(data)) {
    if (name === 'last_refusals') continue;
    if (Array.isArray(value)) visit(data, name); else for (const inner of Object.keys(value)) visit(value, inner, name);
  }
}

function append(latest) {
  const known = last(history.time);
  const fresh = latest.time.findIndex((t) => t > known);
  // After a gap or a restart of the proxy, fetch the whole history again.
  if (latest.time.length && (latest.time[0] > known + 1 || last(latest.time) < known)) return false;
  history.last_refusals = latest.last_refusals;
  if (fresh < 0) return true;
  columns(latest, (place, name, group) => {
    const column = (group ? history[group] : history)[name];
    column.push(...place[name].slice(fresh));
    if (column.length > MINUTES * 60) column.splice(0, column.length - MINUTES * 60);
  });
  return true;
}

function chart(id, names) {
  const style = getComputedStyle(document.documentElement);
  const axis = { stroke: style.getPropertyValue('--soft'), grid: { stroke: style.getPropertyValue('--line'), width: 1 }, ticks: { show: false } };
  const series = names.map((label, i) => ({ label, stroke: COLOURS[i % COLOURS.length], width: 1.5, points: { show: false },
    value: (plot, value) => value == null ? '' : number(value) }));
  const size = () => ({ width: $(id).clientWidth, height: 170 });
  const plot = new uPlot({
    ...size(), cursor: { y: false, drag: { x: false, y: false } },
    scales: { y: { range: (u, low, high) => [0, Math.max(1, high * 1.1)] } },
    axes: [{ ...axis, space: 80, size: 26, values: (plot, times) => times.map(clock) }, { ...axis, size: 48 }],
    series: [{ label: 'at', value: (plot, time) => time == null ? '' : clock(time) }, ...series],
  }, [[], ...names.map(() => [])], $(id));
  return { plot, size };
}

function sources() {
  // Draw only reasons that have occurred in the time shown, and always the first one, so that the chart is not empty.
  const reasons = Object.keys(history.refused).filter((r) => history.refused[r].some((n) => n > 0));
  const some = reasons.length ? reasons : ['capacity'];
  const refused = history.time.map((_, i) => Object.values(history.refused).reduce((sum, column) => sum + column[i], 0));
  return {
    requests: { offered: history.offered, 'answered by the API': history.answered, refused },
    reasons: Object.fromEntries(some.map((r) => [r, history.refused[r]])),
    concurrency: { 'in flight': history.in_flight, limit: history.limit, queue: history.queue },
    latency: { p50: history.p50_ms, p95: history.p95_ms, p99: history.p99_ms },
  };
}

function draw() {
  const wanted = sources();
  const shape = JSON.stringify(Object.values(wanted).map(Object.keys)) + dark.matches;
  if (shape !== shown) {
    shown = shape;
    charts.forEach(({ plot }) => plot.destroy());
    charts = Object.entries(wanted).map(([id, of]) => chart(id, Object.keys(of)));
  }
  Object.values(wanted).forEach((of, i) => charts[i].plot.setData([history.time, ...Object.values(of)]));
}

function tile(name, value, kind) {
  const box = document.createElement('div');
  if (kind) box.className = kind;
  box.innerHTML = '<small></small><b></b>';
  box.firstChild.textContent = name;
  box.lastChild.textContent = value;
  return box;
}

function bar(id, share, mark, text) {
  const fill = $(id).querySelector('i');
  fill.style.width = Math.min(100, 100 * share) + '%';
  fill.className = share >= 1 ? 'bad' : share >= mark ? 'warn' : '';
  $(id).querySelector('b').style.left = 100 * mark + '%';
  $(id + '-text').textContent = text;
}

function rows(id, lines) {
  $(id).tBodies[0].replaceChildren(...lines.map((cells) => {
    const row = document.createElement('tr');
    for (const text of cells) row.insertCell().textContent = text;
    return row;
  }));
}

// The breaker of a class, besides the one for all classes: how long it stays open, or what share it admits again.
function circuit({ breaker_state: state, breaker_remaining_ms: left, breaker_ramp: ramp }) {
  if (state === 'open') return 'open, ' + number(Math.ceil(left / 1000)) + ' s';
  return state.replace('_', '-') + (ramp < 1 ? ', ' + number(Math.round(100 * ramp)) + ' %' : '');
}

function show(stats) {
  const { admission, pool, upstream, control } = stats;
  const breaker = ['closed', 'half-open', 'open'][upstream.breaker];
  const reach = { ...control, breaker_state: control.reach_breaker_state };
  const circuits = control.classes.map((c) => reach.breaker_state === 'closed' ? c : reach);
  const broken = control.classes.filter((c) => c.breaker_state !== 'closed').map((c) => c.name);
  const which = reach.breaker_state === 'closed' && broken.length ? ': ' + broken.join(', ') : '';
  const refused = Object.values(history.refused).reduce((sum, column) => sum + last(column), 0);
  const state = stats.draining ? ['draining', 'warn'] : stats.maintenance ? ['maintenance', 'warn']
    : !upstream.healthy ? ['API unreachable', 'bad'] : breaker !== 'closed' ? ['breaker ' + breaker + which, 'bad']
    : refused > 0 ? ['shedding', 'warn'] : ['serving', 'good'];
  $('state').textContent = state[0];
  $('state').className = 'badge ' + state[1];
  $('version').textContent = stats.version + (control.mode === 'enforce' ? '' : ', mode ' + control.mode);
  $('tiles').replaceChildren(
    tile('offered /s', number(last(history.offered))),
    tile('answered /s', number(last(history.answered))),
    tile('refused /s', number(refused), refused > 0 ? 'warn' : ''),
    tile('queue', number(admission.queue_length), admission.queue_length > 0 ? 'warn' : ''),
    tile('p50 ms', number(last(history.p50_ms))), tile('p95 ms', number(last(history.p95_ms))),
    tile('p99 ms', number(last(history.p99_ms))),
    tile('breaker', breaker, breaker === 'closed' ? 'good' : 'bad'),
    tile('clients', number(stats.client_connections)),
    tile('last poll', upstream.last_poll || 'none yet', upstream.healthy ? '' : 'bad'),
    tile('configuration', ...stats.config.refused ? ['refused', 'bad']
      : stats.config.restart_pending ? ['restart due', 'warn'] : ['in use', 'good']));
  bar('flight', admission.in_flight / Math.max(1, admission.limit), control.classes[0].share / Math.max(1, admission.limit),
    `${admission.in_flight} of ${admission.limit}` + (admission.limit < admission.capacity ? ` (most ${admission.capacity})` : ''));
  const used = pool.size + pool.overflow - pool.checked_in;
  if (pool.report_age_seconds < 0) bar('pool', 0, .8, 'not reported');
  else bar('pool', used / Math.max(1, pool.capacity), .8, `${used} of ${pool.capacity}, ${pool.waiters} waiting`);
  rows('classes', control.classes.map((c, i) => [c.name, circuit(circuits[i]), number(last(history.offered_of[c.name])),
    number(last(history.refused_of[c.name])), c.in_flight, c.share, c.waiting]));
  $('advice').hidden = stats.advice.kind === 'not_enough';
  $('advice').lastChild.replaceChildren(...stats.advice.lines.map((line) => {
    const item = document.createElement('li');
    item.textContent = line;
    return item;
  }));
  rows('refusals', history.last_refusals.slice(0, 10).map((r) => [clock(r.at_ms / 1000), r.reason, r.class,
    r.method + ' ' + r.path]));
}

const get = async (path) => (await fetch(path, { signal: AbortSignal.timeout(5000) })).json();

async function update() {
  try {
    if (!history || !append(await get('stats/latest'))) history = await get('stats/history');
    show(await get('stats'));
    draw();
    document.body.dataset.samples = history.time.length;
  } catch (error) {
    console.error(error);
    $('state').textContent = 'no answer';
    $('state').className = 'badge bad';
  }
  setTimeout(update, 1000);
}

addEventListener('resize', () => charts.forEach(({ plot, size }) => plot.setSize(size())));
update();
