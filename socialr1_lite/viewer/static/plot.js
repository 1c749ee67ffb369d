// Curves that can be zoomed and laid over one another, drawn by uPlot (vendor/), and every figure as SVG, PNG or CSV.
const resolved = (paint) => {
  const name = /^var\((--[\w-]+)\)$/.exec(paint);
  return name ? getComputedStyle(root).getPropertyValue(name[1]).trim() : paint;
};
const hueAt = (i) => HUES[i % HUES.length];
const dashAt = (i) => DASHES[(i + Math.floor(i / HUES.length)) % DASHES.length];

// The exponential mean of the overview's curves, with the reader's own memory; unbiased at its start.
function smoothOf(points, keep) {
  let mean = 0;
  let weight = 0;
  return points.map(([x, y, step]) => {
    mean = keep * mean + (1 - keep) * y;
    weight = keep * weight + (1 - keep);
    return [x, mean / weight, step];
  });
}
// spec: {key, title, unit, axis, percent, log, smooth (0 to 0.99), lines: [{name, points: [[x, y, step]]}], from, to};
// zoomed(from, to) after a drag, null for the whole; pick(step) on a click, where one is given.
function plot(spec, { zoomed, pick } = {}) {
  const box = h('div', { class: 'u-box', role: 'img' });
  const legend = h('div', { class: 'legend' });
  const left = h('p', { class: 'small muted' });
  const shown = () => ({ ...spec, series: spec.lines.map((one) => ({ ...one, points: drawn(one) })) });
  const drawn = (one) => {
    const points = spec.smooth ? smoothOf(one.points, spec.smooth) : one.points;
    return spec.log ? points.filter(([, y]) => y > 0) : points;
  };
  const raw = (one) => (spec.log ? one.points.filter(([, y]) => y > 0) : one.points);
  const table = h('div');
  let u = null;
  const values = spec.lines.map(() => h('b', { class: 'num' }));
  const tell = (at) => {
    shown().series.forEach((one, i) => {
      const hit = at === null ? one.points[one.points.length - 1] : one.points.find(([x]) => x === at);
      if (values[i]) values[i].textContent = hit ? short(hit[1], spec) : '–';
    });
    left.textContent = at === null ? '' : `${spec.axis}: ${xText(at)}`;
  };
  const build = () => {
    if (u) u.destroy();
    u = spec.lines.some((one) => drawn(one).length) ? new uPlot(optionsOf(), dataOf(), box) : null;
    if (u && (spec.from !== null || spec.to !== null)) zoomTo(spec.from, spec.to);
    if (!u) box.replaceChildren(h('p', { class: 'small muted' }, spec.absent || 'Nothing recorded for this figure'));
  };
  const zoomTo = (from, to) => {
    const all = u.data[0];
    const ends = [from === null ? all[0] : from, to === null ? all[all.length - 1] : to];
    if (ends[1] > ends[0]) u.setScale('x', { min: ends[0], max: ends[1] });
  };
  const dataOf = () => {
    const columns = (points) => [points.map(([x]) => x), points.map(([, y]) => y)];
    const lines = spec.lines.flatMap((one) => (spec.smooth ? [raw(one), drawn(one)] : [drawn(one)]));
    return uPlot.join(lines.map(columns));
  };
  const optionsOf = () => {
    const ink = resolved('var(--ink-2)');
    const axis = { stroke: ink, font: '12px sans-serif', grid: { stroke: resolved('var(--line)'), width: 1 } };
    const ticks = { ...axis, ticks: { stroke: resolved('var(--line)'), width: 1 } };
    const lines = spec.lines.flatMap((one, i) => {
      const look = { stroke: resolved(hueAt(i)), dash: dashAt(i).split(' ').filter(Boolean).map(Number) };
      const dots = { show: one.points.length < 4, size: 6 };
      const faint = { stroke: look.stroke, width: 1, alpha: 0.3, points: { show: false } };
      return [...(spec.smooth ? [faint] : []), { ...look, width: 2, points: dots }];
    });
    const range = (_, low, high) => {
      const [a, b] = uPlot.rangeNum(low === null ? 0 : low, high === null ? 1 : high, 0.1, true);
      return spec.percent ? [Math.max(0, a), Math.min(1, b) > Math.max(0, a) ? Math.min(1, b) : 1] : [a, b];
    };
    return {
      width: Math.max(240, box.clientWidth || 380),
      height: 260,
      legend: { show: false },
      scales: { x: { time: false }, y: spec.log ? { distr: 3, log: 10 } : { range } },
      axes: [
        { ...ticks, values: (_, all) => all.map((x) => (x === null ? '' : xText(x))) },
        { ...ticks, size: 58, values: (_, all) => all.map((y) => (y === null ? '' : short(y, spec))) },
      ],
      series: [{}, ...lines],
      // A hand that moves by a pixel has clicked all the same: what is a drag is told below.
      cursor: { drag: { x: true, y: false, dist: 5, click: () => {} }, points: { show: false } },
      hooks: {
        setCursor: [
          (me) => tell(me.cursor.idx === null || me.cursor.idx === undefined ? null : me.data[0][me.cursor.idx]),
        ],
        setSelect: [
          (me) => {
            if (me.select.width > 0 && zoomed)
              zoomed(me.posToVal(me.select.left, 'x'), me.posToVal(me.select.left + me.select.width, 'x'));
          },
        ],
        ready: [
          (me) => {
            let down = 0;
            me.over.addEventListener('mousedown', (e) => (down = e.clientX));
            me.over.addEventListener('dblclick', () => zoomed && zoomed(null, null));
            if (pick)
              me.over.addEventListener('click', (e) => {
                const x = me.cursor.idx === null ? null : me.data[0][me.cursor.idx];
                const hit = spec.lines.flatMap((one) => one.points).find(([at]) => at === x);
                if (hit && Math.abs(e.clientX - down) < 4) pick(hit[2]);
              });
          },
        ],
      },
    };
  };
  const name = spec.key || spec.title;
  const figure = h(
    'figure',
    { class: 'card chart', 'data-figure': name },
    h(
      'figcaption',
      {},
      h('div', { class: 'row spread' }, h('h3', {}, spec.title), h('span', { class: 'small muted' }, spec.unit || '')),
      legend,
    ),
    box,
    left,
    table,
    figureFiles(name, { svg: () => u && plotSvg(u, shown()), rows: () => curveRows(spec, drawn) }),
  );
  const refresh = () => {
    values.splice(0, values.length, ...spec.lines.map(() => h('b', { class: 'num' })));
    legend.replaceChildren(...spec.lines.map((one, i) => key_(one.name, hueAt(i), dashAt(i), values[i])));
    box.setAttribute('aria-label', summary({ ...shown(), axis: spec.axis }));
    table.replaceChildren(numbers(shown()));
    build();
    tell(null);
  };
  figure.update = (changes) => {
    Object.assign(spec, changes);
    refresh();
  };
  new ResizeObserver(() => {
    if (!box.isConnected) return;
    if (!u) refresh();
    else if (Math.abs(u.width - box.clientWidth) > 2 && box.clientWidth > 0)
      u.setSize({ width: box.clientWidth, height: 260 });
  }).observe(box);
  const theme = new MutationObserver(() => (box.isConnected ? refresh() : theme.disconnect()));
  theme.observe(root, { attributes: true, attributeFilter: ['class'] });
  refresh();
  return figure;
}
const xText = (x) => (Number.isInteger(x) ? count(x) : fixed(x, Math.abs(x) < 10 ? 2 : 1));
const key_ = (name, hue, dash, value) =>
  h(
    'span',
    {},
    s(
      'svg',
      { viewBox: '0 0 22 10', 'aria-hidden': 'true' },
      s('path', { d: 'M1 5H21', stroke: hue, 'stroke-width': 2.4, 'stroke-dasharray': dash || null }),
    ),
    name,
    value,
  );
// One row a place on the axis: each line as it was written, and smoothed where it is.
function curveRows(spec, drawn) {
  const columns = spec.lines.flatMap((one) => [
    [one.name, new Map(one.points.map(([x, y]) => [x, y]))],
    ...(spec.smooth ? [[`${one.name} (smoothed)`, new Map(drawn(one).map(([x, y]) => [x, y]))]] : []),
  ]);
  const xs = [...new Set(spec.lines.flatMap((one) => one.points.map(([x]) => x)))].sort((x, y) => x - y);
  const rows = xs.map((x) => [x, ...columns.map(([, known]) => (known.has(x) ? known.get(x) : ''))]);
  return [[spec.axis, ...columns.map(([name]) => name)], ...rows];
}

// -- figures as files ------------------------------------------------------------------------
// The browser tells no `font` of a text with figures of one width, but its parts.
const LOOKS = ['fill', 'fill-opacity', 'stroke', 'stroke-width', 'stroke-dasharray', 'opacity', 'font-family',
  'font-size', 'font-style', 'font-weight', 'text-anchor'];
// What the page shows as it is: what a style sheet says of it is written into it.
function standing(node) {
  const copy = node.cloneNode(true);
  const [from, to] = [node, copy].map((top) => [top, ...top.querySelectorAll('*')]);
  from.forEach((one, i) => {
    const look = getComputedStyle(one);
    if (look.display === 'none') to[i].setAttribute('visibility', 'hidden');
    for (const name of LOOKS) {
      to[i].style.setProperty(name, look.getPropertyValue(name));
      to[i].removeAttribute(name); // which may name one of the page's variables
    }
    to[i].removeAttribute('class');
  });
  return copy;
}
// A figure as one SVG: title, legend, and the drawing under them.
function sheetOf(title, unit, keys, drawing, width, height) {
  const ink = resolved('var(--ink)');
  const text = (x, y, size, words, more) =>
    s('text', { x, y, fill: ink, 'font-family': 'sans-serif', 'font-size': size, ...more }, words);
  let [x, y] = [12, 48];
  const legend = keys.map((one) => {
    const wide = 40 + 7 * [...one.name].length;
    if (x > 12 && x + wide > width) [x, y] = [12, y + 18];
    const at = x;
    x += wide;
    return [
      s('path', {
        d: `M${at} ${y - 4}h20`,
        stroke: resolved(one.hue),
        'stroke-width': 2.4,
        'stroke-dasharray': one.dash || null,
      }),
      text(at + 26, y, 12, one.name),
    ];
  });
  const top = y + 12;
  const whole = s(
    'svg',
    { xmlns: SVG, width, height: top + height, viewBox: `0 0 ${width} ${top + height}` },
    s('rect', { width: '100%', height: '100%', fill: resolved('var(--surface)') }),
    text(12, 22, 15, title, { 'font-weight': 600 }),
    text(width - 12, 22, 12, unit || '', { 'text-anchor': 'end' }),
    legend,
  );
  drawing.setAttribute('x', 0);
  drawing.setAttribute('y', top);
  drawing.setAttribute('width', width);
  drawing.setAttribute('height', height);
  whole.append(drawing);
  return whole;
}
function plotSvg(u, spec) {
  const box = Object.fromEntries(
    Object.entries(u.bbox).map(([name, value]) => [name, value / (window.devicePixelRatio || 1)]),
  );
  const X = (x) => box.left + u.valToPos(x, 'x');
  const Y = (y) => box.top + u.valToPos(y, 'y');
  const ends = u.scales;
  const ys = spec.log ? powers(ends.y.min, ends.y.max) : niceTicks(ends.y.min, ends.y.max);
  const xs = niceTicks(ends.x.min, ends.x.max, 6);
  const grid = { stroke: resolved('var(--line)'), 'stroke-width': 1 };
  const word = { fill: resolved('var(--ink-2)'), 'font-family': 'sans-serif', 'font-size': 11 };
  const [right, bottom] = [box.left + box.width, box.top + box.height];
  const within = (points) => points.filter(([x]) => x >= ends.x.min && x <= ends.x.max);
  const drawing = s(
    'svg',
    { viewBox: `0 0 ${u.width} ${u.height}` },
    ys.map((y) => [
      s('path', { d: `M${box.left} ${Y(y)}H${right}`, ...grid }),
      s('text', { x: box.left - 6, y: Y(y) + 4, 'text-anchor': 'end', ...word }, short(y, spec)),
    ]),
    xs.map((x) => s('text', { x: X(x), y: bottom + 16, 'text-anchor': 'middle', ...word }, xText(x))),
    s('text', { x: right, y: bottom + 32, 'text-anchor': 'end', ...word }, spec.axis),
    spec.series.map((one, i) => {
      const look = { fill: 'none', stroke: resolved(hueAt(i)), 'stroke-linejoin': 'round' };
      const faint = spec.smooth && spec.lines[i].points.filter(([, y]) => !spec.log || y > 0);
      return [
        faint && s('path', { d: pathOf(within(faint), X, Y), ...look, 'stroke-width': 1, opacity: 0.3 }),
        s('path', {
          d: pathOf(within(one.points), X, Y),
          ...look,
          'stroke-width': 2,
          'stroke-dasharray': dashAt(i) || null,
        }),
      ];
    }),
  );
  const keys = spec.series.map((one, i) => ({ name: one.name, hue: hueAt(i), dash: dashAt(i) }));
  return sheetOf(spec.title, spec.unit, keys, drawing, u.width, u.height);
}
function powers(low, high) {
  const all = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e += 1) all.push(10 ** e);
  return all.filter((y) => y >= low * 0.999 && y <= high * 1.001);
}
// The SVG charts of the other screens: title and legend lie beside them in HTML, and come along.
function chartSvg(spec, drawing) {
  const { width, height } = drawing.viewBox.baseVal;
  const keys = spec.series.map((one, i) => ({ name: one.name, hue: hueOf(one, i), dash: DASHES[i % DASHES.length] }));
  return sheetOf(spec.title, spec.unit, keys, standing(drawing), width, height);
}
function chartRows(spec) {
  const known = spec.series.map((one) => new Map(one.points));
  const raw = spec.series.map((one) => new Map(one.faint || []));
  const xs = [...new Set(spec.series.flatMap((one) => one.points.map(([x]) => x)))].sort((x, y) => x - y);
  const head = spec.series.flatMap((one) => (one.faint ? [one.name, `${one.name} (smoothed)`] : [one.name]));
  const cell = (map, x) => (map.has(x) && map.get(x) !== null ? map.get(x) : '');
  const cells = (x) =>
    spec.series.flatMap((one, i) => (one.faint ? [cell(raw[i], x), cell(known[i], x)] : [cell(known[i], x)]));
  return [['step', ...head], ...xs.map((x) => [x, ...cells(x)])];
}
// A spreadsheet runs a text that begins like a formula; a number may begin with a sign.
function csvOf(rows) {
  const cell = (value) => {
    const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n';
}
async function pngOf(svg) {
  const size = [Number(svg.getAttribute('width')), Number(svg.getAttribute('height'))];
  const url = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(svg)], { type: 'image/svg+xml' }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = h('canvas', { width: 2 * size[0], height: 2 * size[1] });
    canvas.getContext('2d').drawImage(image, 0, 0, 2 * size[0], 2 * size[1]);
    return await new Promise((done) => canvas.toBlob(done, 'image/png'));
  } finally {
    URL.revokeObjectURL(url);
  }
}
function figureFiles(name, { svg, rows }) {
  const file = [here.state.run, name]
    .filter(Boolean)
    .join('-')
    .replace(/[^\w.-]+/g, '-')
    .slice(0, 80);
  const hand = (end, blob) => {
    const url = URL.createObjectURL(blob);
    const anchor = h('a', { href: url, download: `${file}.${end}` });
    root.append(anchor);
    anchor.click();
    anchor.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  const make = {
    PNG: async () => hand('png', await pngOf(svg())),
    SVG: async () => hand('svg', new Blob([new XMLSerializer().serializeToString(svg())], { type: 'image/svg+xml' })),
    CSV: async () => hand('csv', new Blob([csvOf(rows())], { type: 'text/csv' })),
  };
  const click = (kind) => () => {
    if (kind !== 'CSV' && !svg()) toast('Nothing is drawn');
    else make[kind]().catch((error) => toast(`No ${kind}: ${error.message}`));
  };
  const kinds = Object.keys(make).filter((kind) => svg || kind === 'CSV');
  return h(
    'div',
    { class: 'row small files', role: 'group', 'aria-label': `${name}: as a file` },
    kinds.map((kind) => h('button', { class: 'plain', 'data-file': kind, onclick: click(kind) }, kind)),
  );
}
