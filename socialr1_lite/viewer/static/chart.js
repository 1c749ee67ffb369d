// Line charts as inline SVG: bands, faint raw values under a smoothed line, marks for resumes and evaluations.
const DASHES = ['', '7 4', '2 3', '9 3 2 3', '4 2', '1 3'];
const HUES = [
  'var(--cue_encoding)',
  'var(--cue_interpretation)',
  'var(--goal_clarification)',
  'var(--response_generation)',
  'var(--ink)',
  'var(--wrong)',
];
const hueOf = (series, i) =>
  series.stage ? `var(--${series.stage})` : series.tone ? `var(--${series.tone})` : HUES[i % HUES.length];

function niceTicks(lo, hi, wanted = 4) {
  if (!(hi > lo)) return [lo];
  const raw = (hi - lo) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const size = [1, 2, 2.5, 5, 10].find((m) => m * power >= raw) * power;
  const ticks = [];
  for (let at = Math.ceil(lo / size - 1e-9) * size; at <= hi + size * 1e-6; at += size)
    ticks.push(Math.abs(at) < size * 1e-6 ? 0 : at);
  return ticks;
}
function short(y, spec) {
  if (y === null || y === undefined || !Number.isFinite(y)) return '–';
  if (spec.percent) return percent(y, Math.abs(y) < 0.1 && y !== 0 ? 1 : 0);
  const size = Math.abs(y);
  if (size >= 10000) return `${fixed(y / 1000, size >= 100000 ? 0 : 1)}k`;
  return size >= 100
    ? fixed(y, 0)
    : size >= 10
      ? fixed(y, 1)
      : size >= 0.01 || y === 0
        ? fixed(y, 2)
        : y.toExponential(1);
}
// Ticks of one axis share their decimals.
function tickText(y, ticks, spec) {
  const size = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : Math.abs(y) || 1;
  if (spec.percent) return percent(y, size < 0.01 ? 1 : 0);
  if (Math.abs(y) >= 10000) return `${fixed(y / 1000, size < 1000 ? 1 : 0)}k`;
  return fixed(
    y,
    Math.max(
      0,
      Math.min(6, Math.ceil(-Math.log10(size) - 1e-9) + (size < 1 && (size * 4) % 1 === 0 && size !== 0.5 ? 1 : 0)),
    ),
  );
}
function extent(spec) {
  const xs = [];
  const ys = [];
  for (const one of spec.series) {
    for (const [x, y] of one.points)
      if (y !== null) {
        xs.push(x);
        ys.push(y);
      }
    for (const [, y] of one.faint || []) if (y !== null) ys.push(y);
    for (const [, lo, hi] of one.band || []) if (lo !== null) ys.push(lo, hi);
  }
  if (spec.limit) ys.push(spec.limit.y);
  if (!xs.length) return null;
  const reduce = (list, pick) => list.reduce((x, y) => pick(x, y));
  let [y0, y1] = spec.range || [reduce(ys, Math.min), reduce(ys, Math.max)];
  if (!spec.range) {
    const pad = (y1 - y0 || Math.abs(y1) || 1) * 0.08;
    y0 = y0 >= 0 && y0 - pad < 0 ? 0 : y0 - pad;
    y1 += pad;
  }
  let [x0, x1] = [reduce(xs, Math.min), reduce(xs, Math.max)];
  if (x0 === x1) {
    x0 -= 0.5;
    x1 += 0.5;
  }
  return { x0, x1, y0, y1 };
}
// Broken where a value is missing: a gap is shown, never bridged.
function pathOf(points, X, Y) {
  let d = '';
  let pen = false;
  for (const [x, y] of points) {
    if (y === null) {
      pen = false;
      continue;
    }
    d += `${pen ? 'L' : 'M'}${X(x).toFixed(1)} ${Y(y).toFixed(1)}`;
    pen = true;
  }
  return d;
}
function bandOf(band, X, Y) {
  const known = band.filter(([, lo]) => lo !== null);
  if (!known.length) return '';
  return `M${known.map(([x, , hi]) => `${X(x).toFixed(1)} ${Y(hi).toFixed(1)}`).join('L')}L${known
    .slice()
    .reverse()
    .map(([x, lo]) => `${X(x).toFixed(1)} ${Y(lo).toFixed(1)}`)
    .join('L')}Z`;
}
function legendOf(spec) {
  return h(
    'div',
    { class: 'legend' },
    spec.series.map((one, i) =>
      h(
        'span',
        {},
        s(
          'svg',
          { viewBox: '0 0 22 10', 'aria-hidden': 'true' },
          s('path', {
            d: 'M1 5H21',
            stroke: hueOf(one, i),
            'stroke-width': 2.4,
            'stroke-dasharray': DASHES[i % DASHES.length] || null,
          }),
        ),
        one.name,
        h('b', { class: 'num' }, short(lastOf(one.points), spec)),
      ),
    ),
  );
}
const lastOf = (points) => {
  for (let i = points.length - 1; i >= 0; i--) if (points[i][1] !== null) return points[i][1];
  return null;
};

// A drawing in CSS pixels, made anew when its width changes: scaled, its letters would be too small on a phone.
function sized(height, least, props, draw) {
  const plot = s('svg', { height, ...props });
  const redraw = () => {
    const width = Math.max(least, plot.clientWidth || 460);
    plot.setAttribute('viewBox', `0 0 ${width} ${height}`);
    plot.replaceChildren(...[draw(width)].flat(Infinity).filter(Boolean));
  };
  new ResizeObserver(() => {
    if (plot.isConnected && plot.clientWidth && Math.abs(plot.viewBox.baseVal.width - plot.clientWidth) > 2) redraw();
  }).observe(plot);
  redraw();
  return plot;
}

// spec: {title, unit, note, percent, range, series: [{name, points, band, faint, dots, stage | tone}], marks, limit};
// pick(x) on a click.
function chart(spec, pick) {
  const plot = s('svg', { class: 'plot', role: 'img', tabindex: pick ? '0' : null });
  const tip = h('div', { class: 'tip hidden' });
  let caption = h('figcaption');
  const table = numbers(spec);
  const figure = h(
    'figure',
    { class: 'card chart', 'data-chart': spec.key || spec.title },
    ...[caption, plot, tip, table],
    figureFiles(spec.key || spec.title, { svg: () => scale && chartSvg(spec, plot), rows: () => chartRows(spec) }),
  );
  let scale = null;
  let at = null;
  // The plot and the table stay where they are: put in anew they would lose the reader's focus, and what was opened.
  const redraw = () => {
    const width = Math.max(220, plot.clientWidth || 380);
    const height = 210;
    const box = extent(spec);
    const fresh = h(
      'figcaption',
      {},
      h(
        'div',
        { class: 'row spread' },
        h('h3', {}, spec.title),
        spec.unit && h('span', { class: 'small muted' }, spec.unit),
      ),
      legendOf(spec),
      spec.note && h('p', { class: 'small muted' }, spec.note),
    );
    caption.replaceWith(fresh);
    caption = fresh;
    plot.setAttribute('viewBox', `0 0 ${width} ${height}`);
    plot.setAttribute('aria-label', summary(spec));
    if (!box) {
      plot.replaceChildren(
        s(
          'text',
          { x: width / 2, y: height / 2, 'text-anchor': 'middle', class: 'tick' },
          spec.absent || 'Nothing recorded yet',
        ),
      );
      scale = null;
      return;
    }
    const ticks = niceTicks(box.y0, box.y1);
    const left = 12 + Math.max(...ticks.map((y) => tickText(y, ticks, spec).length)) * 6.6;
    const right = width - 8;
    const top = 16;
    const bottom = height - 22;
    const X = (x) => left + ((right - left) * (x - box.x0)) / (box.x1 - box.x0);
    const Y = (y) => bottom - ((bottom - top) * (y - box.y0)) / (box.y1 - box.y0);
    scale = { X, left, right, box, top, bottom };
    const steps = niceTicks(box.x0, box.x1, Math.max(2, Math.floor(width / 90))).filter((x) => Number.isInteger(x));
    let lastLabel = -99;
    plot.replaceChildren(
      ...ticks
        .map((y) => [
          s('line', { class: 'axis', x1: left, x2: right, y1: Y(y), y2: Y(y) }),
          s('text', { class: 'tick', x: left - 6, y: Y(y) + 4, 'text-anchor': 'end' }, tickText(y, ticks, spec)),
        ])
        .flat(),
      ...steps.map((x) => s('text', { class: 'tick', x: X(x), y: bottom + 16, 'text-anchor': 'middle' }, count(x))),
      ...(spec.limit
        ? [
            s('line', { class: 'event', x1: left, x2: right, y1: Y(spec.limit.y), y2: Y(spec.limit.y) }),
            s(
              'text',
              { class: 'event-label', x: right, y: Y(spec.limit.y) - 4, 'text-anchor': 'end' },
              spec.limit.label,
            ),
          ]
        : []),
      ...(spec.marks || [])
        .filter((mark) => mark.x >= box.x0 && mark.x <= box.x1)
        .map((mark) => {
          const free = X(mark.x) - lastLabel > 56;
          if (free) lastLabel = X(mark.x);
          return [
            s(
              'line',
              { class: 'event', x1: X(mark.x), x2: X(mark.x), y1: top - 4, y2: bottom },
              s('title', {}, `${mark.label} at step ${mark.x}`),
            ),
            free && s('text', { class: 'event-label', x: Math.min(X(mark.x) + 3, right - 44), y: top - 6 }, mark.label),
          ];
        })
        .flat()
        .filter(Boolean),
      ...spec.series
        .map((one, i) => [
          one.dots &&
            one.band &&
            one.band
              .filter(([, lo]) => lo !== null)
              .map(([x, lo, hi]) =>
                s('path', {
                  class: 'line',
                  d: `M${X(x) - 3} ${Y(lo)}H${X(x) + 3}M${X(x)} ${Y(lo)}V${Y(hi)}M${X(x) - 3} ${Y(hi)}H${X(x) + 3}`,
                  stroke: hueOf(one, i),
                  'stroke-width': 1.4,
                  opacity: 0.7,
                }),
              ),
          one.band &&
            one.points.length > 1 &&
            s('path', { class: 'band', d: bandOf(one.band, X, Y), fill: hueOf(one, i) }),
          one.faint && s('path', { class: 'line faint', d: pathOf(one.faint, X, Y), stroke: hueOf(one, i) }),
          s('path', {
            class: 'line',
            d: pathOf(one.points, X, Y),
            stroke: hueOf(one, i),
            'stroke-dasharray': DASHES[i % DASHES.length] || null,
          }),
          (one.dots || one.points.length < 3) &&
            one.points
              .filter(([, y]) => y !== null)
              .map(([x, y]) => s('circle', { cx: X(x), cy: Y(y), r: 3.5, fill: hueOf(one, i) })),
        ])
        .flat(2)
        .filter(Boolean),
      s('line', { class: 'cross hidden', y1: top, y2: bottom }),
    );
    if (at !== null) point(at);
  };
  const nearest = (clientX) => {
    if (!scale) return null;
    const frame = plot.getBoundingClientRect();
    const x =
      scale.box.x0 +
      (((clientX - frame.left) * (plot.viewBox.baseVal.width / frame.width) - scale.left) /
        (scale.right - scale.left)) *
        (scale.box.x1 - scale.box.x0);
    const xs = [...new Set(spec.series.flatMap((one) => one.points.map(([px]) => px)))];
    return xs.length ? xs.reduce((best, px) => (Math.abs(px - x) < Math.abs(best - x) ? px : best)) : null;
  };
  const point = (x) => {
    at = x;
    const cross = plot.querySelector('.cross');
    if (x === null || !scale || !cross) {
      tip.classList.add('hidden');
      if (cross) cross.classList.add('hidden');
      return;
    }
    cross.setAttribute('x1', scale.X(x));
    cross.setAttribute('x2', scale.X(x));
    cross.classList.remove('hidden');
    tip.replaceChildren(
      h('div', {}, `step ${count(x)}`),
      ...spec.series
        .map((one) => {
          const hit = one.points.find(([px]) => px === x);
          return hit ? h('div', {}, `${one.name} ${short(hit[1], spec)}`) : '';
        })
        .filter(Boolean),
      pick ? h('div', {}, 'click: its completions') : '',
    );
    tip.classList.remove('hidden');
    const width = figure.clientWidth;
    const px = plot.offsetLeft + (scale.X(x) * plot.clientWidth) / plot.viewBox.baseVal.width;
    tip.style.left = `${Math.max(4, Math.min(width - tip.offsetWidth - 8, px + 12))}px`;
    tip.style.top = `${(plot.offsetTop || 40) + 24}px`;
  };
  plot.addEventListener('pointermove', (e) => point(nearest(e.clientX)));
  plot.addEventListener('pointerleave', () => point(null));
  plot.addEventListener('blur', () => point(null));
  if (pick) {
    plot.addEventListener('click', (e) => {
      const x = nearest(e.clientX);
      if (x !== null) pick(x);
    });
    plot.addEventListener('keydown', (e) => {
      const xs = [...new Set(spec.series.flatMap((one) => one.points.map(([px]) => px)))].sort((x, y) => x - y);
      if (!xs.length) return;
      const by = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      if (by) {
        e.preventDefault();
        point(
          xs[Math.max(0, Math.min(xs.length - 1, (at === null ? (by > 0 ? -1 : xs.length) : xs.indexOf(at)) + by))],
        );
      } else if (e.key === 'Enter' && at !== null) pick(at);
    });
  }
  new ResizeObserver(() => {
    if (plot.isConnected && Math.abs((plot.viewBox.baseVal ? plot.viewBox.baseVal.width : 0) - plot.clientWidth) > 2)
      redraw();
  }).observe(plot);
  redraw();
  figure.update = (fresh) => {
    Object.assign(spec, fresh);
    redraw();
    table.update();
  };
  return figure;
}
function summary(spec) {
  return `${spec.title}. ${spec.series
    .map((one) => {
      const known = one.points.filter(([, y]) => y !== null);
      if (!known.length) return `${one.name}: nothing yet`;
      const [from, to] = [known[0], known[known.length - 1]].map(
        ([x, y]) => `${short(y, spec)} at ${spec.axis || 'step'} ${x}`,
      );
      return `${one.name}: from ${from} to ${to}`;
    })
    .join('; ')}`;
}
// The same numbers as a table, for those who cannot see the lines. Filled when it is opened, and then kept up to date.
function numbers(spec) {
  const body = h('div', {
    class: 'scroll',
    tabindex: '0',
    role: 'region',
    'aria-label': `${spec.title}: numbers`,
    style: { 'max-height': '240px', overflow: 'auto' },
  });
  const details = h('details', { ontoggle: () => details.update() }, h('summary', {}, 'Numbers'), body);
  details.update = () => {
    if (!details.open) return;
    const xs = [...new Set(spec.series.flatMap((one) => one.points.map(([x]) => x)))].sort((x, y) => x - y).slice(-200);
    const known = spec.series.map((one) => new Map(one.points));
    body.replaceChildren(
      h(
        'table',
        { class: 'grid still' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            h('th', {}, spec.axis || 'step'),
            spec.series.map((one) => h('th', { class: 'n' }, one.name)),
          ),
        ),
        h(
          'tbody',
          {},
          xs.map((x) =>
            h(
              'tr',
              {},
              h('td', {}, x),
              known.map((map) => h('td', { class: 'n' }, map.has(x) ? short(map.get(x), spec) : '–')),
            ),
          ),
        ),
      ),
    );
  };
  return details;
}
