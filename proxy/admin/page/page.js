'use strict';
// Draws /stats and /stats/history, and then adds the samples of /stats/latest each second.
const MINUTES = 15;
const { last, number } = model;
const $ = (id) => document.getElementById(id);
const dark = matchMedia('(prefers-color-scheme: dark)');
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString('en-GB');
let history = null, stats = null, charts = [], shown = '', marks = [];

/// Sets a text only if it differs: a screen reader speaks of changes alone.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function make(tag, text = '', className = '') {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

// A column may be nested by one level: refused.capacity.
function columns(data, visit) {
  for (const [name, value] of Object.entries(data)) {
    if (name === 'refusals') continue;
    if (Array.isArray(value)) visit(data, name); else for (const inner of Object.keys(value)) visit(value, inner, name);
  }
}

function append(latest) {
  const known = last(history.time);
  const fresh = latest.time.findIndex((t) => t > known);
  // After a gap or a restart of the proxy, fetch the whole history again.
  if (latest.time.length && (latest.time[0] > known + 1 || last(latest.time) < known)) return false;
  history.refusals = latest.refusals;
  if (fresh < 0) return true;
  columns(latest, (place, name, group) => {
    const column = (group ? history[group] : history)[name];
    column.push(...place[name].slice(fresh));
    if (column.length > MINUTES * 60) column.splice(0, column.length - MINUTES * 60);
  });
  return true;
}

// --- Charts: each series has a label, values, a colour, and perhaps `area` (stacked on those before it) or `dash`. ------

// Reasons that come together differ.
const REASON_COLOURS = {
  capacity: 'r0', queue_full: 'r1', queue_timeout: 'r2', pool: 'r3', fairness: 'r4', cohort: 'r5', streams: 'r6', deadline: 'r5',
  breaker: 'r7', maintenance: 'r6', connections: 'r3', draining: 'r6', upstream_connections: 'r0',
};
const FAILED_COLOURS = ['failed', 'f1', 'f2'];
const in_short = (cause) => cause.replaceAll('_', ' ').replace('status', '5xx');

function reasons() {
  const shadow = stats.control.mode === 'shadow';
  const group = shadow ? history.would_refuse : history.refused;
  // Draw only what has occurred in the time shown. A reason keeps its colour.
  const series = Object.keys(group).map((name) => ({ label: name, values: group[name], area: true,
    colour: REASON_COLOURS[name] ?? 'refused' })).filter((s) => s.values.some((n) => n > 0));
  Object.entries(history.failed).forEach(([name, values], i) => {
    if (values.some((n) => n > 0)) series.push({ label: 'failed: ' + in_short(name), values, area: true, colour: FAILED_COLOURS[i % FAILED_COLOURS.length] });
  });
  write($('reasons-title'), shadow ? 'Would be refused, and failed per second, by reason' : 'Refused and failed per second, by reason');
  return series.length ? series : [{ label: 'refused', values: history.time.map(() => 0), area: true, colour: 'refused' }];
}

function sources() {
  const sum = (group) => history.time.map((_, i) => Object.values(group).reduce((all, column) => all + column[i], 0));
  const concurrency = [
    { label: 'in flight', values: history.in_flight, colour: 'answered' },
    { label: 'limit', values: history.limit, colour: 'limit', dash: [6, 4] },
    { label: 'queue', values: history.queue, colour: 'queue' },
  ];
  if (history.streams.some((n) => n > 0)) concurrency.push({ label: 'streams', values: history.streams, colour: 'r3' });
  // No line where nothing was served.
  const served = (name) => history[name].map((value) => value > 0 ? value : null);
  return {
    requests: [
      { label: 'answered', values: history.answered, colour: 'answered', area: true },
      { label: 'failed', values: sum(history.failed), colour: 'failed', area: true },
      { label: 'refused', values: sum(history.refused), colour: 'refused', area: true },
      { label: 'offered', values: history.offered, colour: 'text' },
    ],
    reasons: reasons(),
    concurrency,
    latency: [
      { label: 'p50', values: served('p50_ms'), colour: 'answered' },
      { label: 'p95', values: served('p95_ms'), colour: 'queue', dash: [8, 3] },
      { label: 'p99', values: served('p99_ms'), colour: 'r3', dash: [2, 3] },
    ],
  };
}

/// Where something happened: a line through every chart.
function draw_marks(plot) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  for (const mark of marks) {
    const x = plot.valToPos(mark.time, 'x', true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = colour(mark.kind);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

function chart(id, series) {
  const axis = { stroke: colour('soft'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false } };
  const legend = $(id).parentElement.querySelector('.legend');
  const values = series.map((s) => {
    const item = make('li'), mark = make('i'), value = make('b');
    mark.style[s.dash ? 'borderColor' : 'background'] = colour(s.colour);
    if (s.dash) mark.className = 'dashed';
    item.append(mark, s.label, value);
    return [item, value];
  });
  legend.replaceChildren(...values.map(([item]) => item));
  // The areas, the tallest first, so that the lower ones lie upon it; then the lines.
  const areas = series.filter((s) => s.area);
  const drawn = [...areas.toReversed(), ...series.filter((s) => !s.area)];
  const width = () => $(id).clientWidth;
  const made = { id, legend: (at) => series_now(at) };
  const plot = new uPlot({
    width: width(), height: 180, legend: { show: false }, cursor: { y: false, drag: { x: false, y: false } },
    scales: { y: { range: (u, low, high) => [0, Math.max(1, high * 1.1)] } },
    axes: [{ ...axis, space: 64, size: 26, values: (u, times) => times.map(clock) }, { ...axis, size: 48 }],
    series: [{}, ...drawn.map((s) => ({ stroke: colour(s.colour), width: s.area ? 1 : 1.75, dash: s.dash,
      fill: s.area ? colour(s.colour) + 'b0' : undefined, points: { show: false } }))],
    bands: areas.slice(1).map((_, i) => ({ series: [i + 1, i + 2] })),  // fill down to the next area only
    hooks: { draw: [draw_marks], setCursor: [(u) => made.legend(u.cursor.idx)] },
  }, [[], ...drawn.map(() => [])], $(id));
  let now = series;
  /// The values at the cursor; without one, the last.
  function series_now(at) {
    now.forEach((s, i) => {
      const value = s.values[at ?? s.values.length - 1];
      write(values[i][1], value == null ? '–' : number(value));
    });
  }
  return Object.assign(made, {
    plot,
    fit: () => plot.setSize({ width: width(), height: 180 }),
    set: (fresh) => {
      now = fresh;
      const stacked = model.stack(fresh.filter((s) => s.area).map((s) => s.values));
      plot.setData([history.time, ...stacked.toReversed(), ...fresh.filter((s) => !s.area).map((s) => s.values)]);
      series_now(plot.cursor.idx);
      $(id).setAttribute('aria-label', fresh.map((s) => `${s.label} ${number(last(s.values) ?? 0)}`).join(', '));
    },
  });
}

function draw() {
  const wanted = sources();
  marks = model.events(history);
  const shape = JSON.stringify(Object.values(wanted).map((of) => of.map((s) => s.label))) + dark.matches;
  if (shape !== shown) {
    shown = shape;
    charts.forEach(({ plot }) => plot.destroy());
    charts = Object.entries(wanted).map(([id, series]) => chart(id, series));
  }
  Object.values(wanted).forEach((series, i) => charts[i].set(series));
}

// --- Numbers, words and tables -----------------------------------------------------------------------------------------

function tiles(wanted) {
  const box = $('tiles');
  while (box.children.length < wanted.length) {
    const tile = make('div');
    tile.append(make('small'), make('b'), make('small'));
    box.append(tile);
  }
  wanted.forEach(([name, value, below = '', kind = ''], i) => {
    const tile = box.children[i];
    tile.className = kind;
    [name, value, below].forEach((text, part) => write(tile.children[part], text));
  });
}

function bar(id, share, mark, text) {
  const fill = $(id).querySelector('i');
  fill.style.width = Math.min(100, 100 * share) + '%';
  fill.className = share >= 1 ? 'bad' : share >= mark ? 'warn' : '';
  $(id).querySelector('b').style.left = 100 * mark + '%';
  write($(id + '-text'), text);
}

function rows(id, lines) {
  $(id).tBodies[0].replaceChildren(...lines.map((cells) => {
    const row = document.createElement('tr');
    for (const text of cells) row.insertCell().textContent = text;
    return row;
  }));
}

/// Rows stay the same elements, so that what is open stays open, and the keyboard stays where it is.
const groups = new Map();
function show_refusals() {
  const wanted = model.refusals(history).slice(0, 8);
  const body = $('refusals').tBodies[0];
  const keys = new Set();
  for (const group of wanted) {
    const key = [group.reason, group.class, group.method, group.path].join(' ');
    keys.add(key);
    if (!groups.has(key)) {
      const row = document.createElement('tr'), more = document.createElement('tr');
      const cells = Array.from({ length: 4 }, () => row.insertCell());
      cells[0].className = 'n';
      const button = make('button', '', '');
      button.type = 'button';
      button.setAttribute('aria-expanded', 'false');
      button.title = 'Why?';
      cells[3].append(button);
      const text = more.insertCell();
      text.colSpan = 4;
      text.className = 'explanation';
      more.hidden = true;
      button.onclick = () => {
        more.hidden = !more.hidden;
        button.setAttribute('aria-expanded', String(!more.hidden));
      };
      groups.set(key, { row, more, cells, button, text });
    }
    const { cells, button, text } = groups.get(key);
    write(cells[0], (group.about ? 'about ' : '') + number(group.count));
    write(cells[1], group.reason);
    write(cells[2], group.class);
    write(button, group.path ? `${group.method} ${group.path}` : 'a connection');
    write(text, `${clock(group.at_ms / 1000)}: ${model.explain(group, history, stats)}`);
  }
  for (const [key, { row, more }] of groups) {
    if (!keys.has(key)) row.remove(), more.remove(), groups.delete(key);
  }
  // Sorting moves elements, which takes the keyboard away: not while it is there.
  const order = body.contains(document.activeElement) ? [...groups.keys()]
    : wanted.map((g) => [g.reason, g.class, g.method, g.path].join(' '));
  const rows_in_order = order.flatMap((key) => [groups.get(key).row, groups.get(key).more]);
  if (rows_in_order.some((row, i) => body.children[i] !== row)) {
    if (body.contains(document.activeElement)) rows_in_order.filter((r) => !r.parentNode).forEach((r) => body.append(r));
    else body.append(...rows_in_order);
  }
  $('refusals').hidden = wanted.length === 0;
  $('no-refusals').hidden = wanted.length > 0;
}

function show_events() {
  const wanted = model.events(history).slice(-8).toReversed();
  $('events').replaceChildren(...wanted.map(({ time, text }) => {
    const item = make('li', text), at = make('time', clock(time));
    at.dateTime = new Date(time * 1000).toISOString();
    item.prepend(at);
    return item;
  }));
  $('no-events').hidden = wanted.length > 0;
}

function facts(wanted) {
  const list = $('facts');
  while (list.children.length < 2 * wanted.length) list.append(make('dt'), make('dd'));
  wanted.forEach(([name, value], i) => {
    write(list.children[2 * i], name);
    write(list.children[2 * i + 1], value);
  });
}

function configuration({ refused, loaded_at, last_change, restart_pending, waiting }) {
  const age = 'loaded ' + model.duration(Math.max(0, Date.now() / 1000 - loaded_at)) + ' ago';
  return [refused ? 'the last change was refused (see the log), so the one before stays in use' : 'in use', age,
    last_change, restart_pending ? `a restart is due for ${waiting}` : ''].filter(Boolean).join('; ');
}

function show() {
  const { admission, pool, upstream, control } = stats;
  const state = model.state(stats, history);
  write($('state'), state.word);
  $('state').className = 'badge ' + state.kind;
  write($('why'), state.text);
  document.title = state.word + ' – spillway';
  write($('version'), stats.version + (control.mode === 'enforce' ? '' : ', mode ' + control.mode));

  const offered = last(history.offered), answered = last(history.answered);
  const refused = model.total(history.refused), failed = model.total(history.failed), main = model.most(history.failed);
  const share = (part) => offered > 0 ? number(Math.min(100, 100 * part / offered)) + ' %' : '';
  const latency = (name) => last(history[name]) > 0 ? number(last(history[name])) : '–';
  tiles([
    ['offered /s', number(offered), number(stats.client_connections) + ' clients'],
    ['answered /s', number(answered), share(answered)],
    ['refused /s', number(refused), model.most(history.refused), refused > 0 ? 'warn' : ''],
    ['failed /s', number(failed), failed > 0 ? `${number(last(history.failed.status))} by 5xx` + (main === 'status' ? '' : ', ' + in_short(main)) : '', failed > 0 ? 'bad' : ''],
    ['queue', number(admission.queue_length), 'waiting', admission.queue_length > 0 ? 'warn' : ''],
    ['p50 ms', latency('p50_ms'), 'served'], ['p95 ms', latency('p95_ms'), 'served'], ['p99 ms', latency('p99_ms'), 'served'],
  ]);
  bar('flight', admission.in_flight / Math.max(1, admission.limit), control.classes[0].share / Math.max(1, admission.limit),
    `${admission.in_flight} of ${admission.limit}` + (admission.limit < admission.capacity ? ` (most ${admission.capacity})` : '') +
    (admission.streams > 0 ? `, and ${number(admission.streams)} streams` : ''));
  const old = pool.report_age_seconds > 10 ? `, ${model.duration(pool.report_age_seconds)} ago` : '';
  const used = pool.size + pool.overflow - pool.checked_in;
  $('pool-card').hidden = pool.report_age_seconds < 0;
  if (pool.report_age_seconds >= 0) bar('pool', used / Math.max(1, pool.capacity), .8, `${used} of ${pool.capacity}, ${pool.waiters} waiting` + old);

  const reach = { ...control, breaker_state: control.reach_breaker_state };
  const circuits = control.classes.map((c) => reach.breaker_state === 'closed' ? c : reach);
  rows('classes', control.classes.map((c, i) => [c.name, model.circuit(circuits[i]), number(last(history.offered_of[c.name])),
    number(last(history.refused_of[c.name])), c.in_flight, c.share, c.waiting]));
  facts([
    ['instance', stats.instance],
    ['uptime', model.duration(stats.uptime_seconds)],
    ['upstream', upstream.address + (upstream.addresses && !upstream.address.startsWith(upstream.addresses + ':') ? ` (${upstream.addresses})` : '') +
      `, ${upstream.active} connections in use, ${upstream.idle} idle`],
    ['last health poll', (upstream.last_poll || 'none yet') + (upstream.last_poll_age_seconds >= 0 ? `, ${number(upstream.last_poll_age_seconds)} s ago` : '')],
    ['breaker', model.circuit(reach)],
    ['configuration', configuration(stats.config)],
  ]);
  $('advice').hidden = stats.advice.kind === 'not_enough';
  $('advice').lastChild.replaceChildren(...stats.advice.lines.map((line) => make('li', line)));
  show_refusals();
  show_events();
}

const get = async (path) => (await fetch(path, { signal: AbortSignal.timeout(5000) })).json();

async function update() {
  try {
    if (!history || !append(await get('stats/latest'))) history = await get('stats/history');
    stats = await get('stats');
    show();
    draw();
    document.body.dataset.samples = history.time.length;
  } catch (error) {
    console.error(error);
    write($('state'), 'no answer');
    $('state').className = 'badge bad';
    write($('why'), 'The proxy does not answer this page. What it shows is old.');
  }
  setTimeout(update, 1000);
}

addEventListener('resize', () => charts.forEach((each) => each.fit()));
update();
