// Where reward and merit part: what a reward hacker would do, and whether this run does it.
// Every figure here leads to its completions: the board's own steps go with the link.
const boardBase = () => ({ ...keep('from', 'to'), phase: 'train' });
const toTraces = (filter, ...kids) => a({ screen: 'traces', ...filter }, { base: boardBase() }, ...kids);
// A paint is a hue and its share of it: over the page's ground in a table, as an opacity in a drawing.
const tint = ([hue, share]) => `color-mix(in srgb, ${hue} ${Math.round(100 * share)}%, var(--surface))`;
function matrix(data) {
  const paint = (value) => [value < 0 ? 'var(--wrong)' : 'var(--cue_encoding)', 0.34 * Math.abs(value || 0)];
  const cell = (value, filter) =>
    h(
      'td',
      { style: { background: tint(paint(value)) } },
      Object.keys(filter).length ? toTraces(filter, value === null ? '–' : fixed(value)) : '–',
    );
  const shown = data.rows.map((row) => row.map((value) => (value === null ? '–' : fixed(value))));
  const paints = data.rows.map((row) => row.map(paint));
  return [
    table(
      data.names,
      data.rows.map((row, i) => [data.names[i], row.map((value, j) => cell(value, data.filters[i][j]))]),
    ),
    figureFiles('correlation', {
      svg: () => tableSvg('Which rewards move together', 'Pearson correlation', data.names, data.names, shown, paints),
      rows: () => [['', ...data.names], ...data.rows.map((row, i) => [data.names[i], ...row.map((x) => x ?? '')])],
    }),
  ];
}
// A coloured table as a drawing of its own.
function tableSvg(title, unit, columns, names, shown, paints) {
  const [left, wide, tall] = [112, 84, 34];
  const [width, height] = [left + wide * columns.length + 12, tall * (names.length + 1) + 8];
  const word = { fill: resolved('var(--ink)'), 'font-family': 'sans-serif', 'font-size': 12 };
  const text = (x, y, words, anchor) => s('text', { x, y, 'text-anchor': anchor, ...word }, words);
  const drawing = s(
    'svg',
    { viewBox: `0 0 ${width} ${height}` },
    columns.map((name, j) => text(left + wide * (j + 0.5), 22, name, 'middle')),
    names.map((name, i) => [
      text(12, tall * (i + 1) + 22, name, 'start'),
      shown[i].map((words, j) => [
        s('rect', {
          ...{ x: left + wide * j, y: tall * (i + 1), width: wide - 2, height: tall - 2 },
          ...{ fill: resolved(paints[i][j][0]), 'fill-opacity': paints[i][j][1] },
        }),
        text(left + wide * (j + 0.5), tall * (i + 1) + 22, words, 'middle'),
      ]),
    ]),
  );
  return sheetOf(title, unit, [], drawing, width, height);
}
const table = (columns, rows) =>
  h(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Table' },
    h(
      'table',
      { class: 'grid still matrix' },
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('td', {}),
          columns.map((name) => h('th', { scope: 'col' }, name)),
        ),
      ),
      h(
        'tbody',
        {},
        rows.map(([name, cells]) => h('tr', {}, h('th', { scope: 'row' }, name), cells)),
      ),
    ),
  );
function processTable(data) {
  const most = Math.max(...data.rows.flatMap((row) => row.cells.map((cell) => cell.n)), 1);
  const paint = (row, n) => [`var(--${row.outcome})`, (0.34 * n) / most];
  const names = data.rows.map((row) => row.outcome);
  const shown = data.rows.map((row) => row.cells.map(({ n }) => count(n)));
  const paints = data.rows.map((row) => row.cells.map(({ n }) => paint(row, n)));
  return [
    table(
      data.columns,
      data.rows.map((row) => [
        outcomeChip(row.outcome),
        row.cells.map(({ n, filter }) =>
          h('td', { style: { background: tint(paint(row, n)) } }, toTraces(filter, count(n))),
        ),
      ]),
    ),
    figureFiles('process-against-outcome', {
      svg: () => tableSvg('Process against outcome', 'completions', data.columns, names, shown, paints),
      rows: () => [
        ['outcome', ...data.columns],
        ...data.rows.map((row) => [row.outcome, ...row.cells.map(({ n }) => n)]),
      ],
    }),
  ];
}
const LENGTH_HEIGHT = 220;
const OPACITY = { right: 0.9, wrong: 0.55, unreadable: 0.3 };
function lengthBar(bin, kind, box) {
  const href = link(
    { screen: 'traces', tokens_min: bin.from, tokens_max: bin.to, outcome: OUTCOMES_OF[kind] },
    boardBase(),
  );
  const words = `${bin.from}–${bin.to} tokens: ${bin[kind]} ${kind}`;
  const onclick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    visit(href);
  };
  const look = { fill: `var(--${kind})`, 'fill-opacity': OPACITY[kind] };
  return s('a', { href, 'aria-label': words, onclick }, s('rect', { ...box, ...look }, s('title', {}, words)));
}
function lengthDrawing(bins, width) {
  const most = Math.max(...bins.map((bin) => bin.right + bin.wrong + bin.unreadable), 1);
  const left = 16;
  const step = (width - left - 4) / Math.max(1, bins.length);
  const widest = 7 * Math.max(...bins.map((bin) => count(bin.from).length), 1) + 14;
  const every = Math.max(1, Math.ceil(widest / step), Math.ceil(bins.length / 6));
  const word = { class: 'tick', fill: 'var(--ink-2)', 'font-size': 11.5 };
  return [
    bins.map((bin, i) => {
      const at = left + i * step;
      let y = LENGTH_HEIGHT - 24;
      return [
        Object.keys(OPACITY).map((kind) => {
          const height = ((LENGTH_HEIGHT - 50) * bin[kind]) / most;
          y -= height;
          return bin[kind] > 0 && lengthBar(bin, kind, { x: at, y, width: Math.max(1, step - 2), height });
        }),
        i % every === 0 &&
          at + widest - 14 <= width &&
          s('text', { x: at, y: LENGTH_HEIGHT - 8, ...word }, count(bin.from)),
      ];
    }),
    s('text', { x: 2, y: 14, ...word }, `${count(most)} completions`),
  ];
}
function lengthPlot(bins) {
  const props = { class: 'dots', role: 'group', 'aria-label': 'Completions by length' };
  const plot = sized(LENGTH_HEIGHT, 220, props, (width) => lengthDrawing(bins, width));
  const keys = Object.keys(OPACITY).map((kind) => ({ name: kind, hue: `var(--${kind})` }));
  return [
    plot,
    h('p', { class: 'small muted' }, 'Tokens a completion; from dark to light: right, wrong, the rest.'),
    figureFiles('length-against-outcome', {
      svg: () =>
        sheetOf('Length against outcome', 'tokens', keys, standing(plot), plot.viewBox.baseVal.width, LENGTH_HEIGHT),
      rows: () => [
        ['tokens from', 'to', 'right', 'wrong', 'the rest'],
        ...bins.map((bin) => [bin.from, bin.to, bin.right, bin.wrong, bin.unreadable]),
      ],
    }),
  ];
}
const OUTCOMES_OF = { right: 'right', wrong: 'wrong', unreadable: '!right|wrong' };
function boardSteps(data, state) {
  return h(
    'form',
    {
      class: 'row',
      'aria-label': 'Steps',
      onsubmit: (e) => {
        e.preventDefault();
        go({ from: e.target.elements.from.value, to: e.target.elements.to.value });
      },
    },
    h('span', { class: 'small muted' }, `Steps (${count(data.first)} to ${count(data.last)})`),
    ['from', 'to'].map((name) =>
      h('input', {
        name,
        type: 'number',
        min: 0,
        value: state[name] || '',
        'aria-label': `${name} step`,
        style: { width: '88px' },
      }),
    ),
    h('button', {}, 'Apply'),
  );
}
const suspects = (title, note, rows, filter) =>
  h(
    'section',
    { class: 'card tight' },
    h(
      'div',
      { class: 'row spread' },
      h('h2', {}, title),
      rows.length > 0 && filter && toTraces(filter, 'all of them'),
    ),
    h('p', { class: 'small muted' }, note),
    rows.length
      ? h(
          'ul',
          { class: 'tight' },
          rows.map((row) =>
            h(
              'li',
              { class: 'row line' },
              h('b', { class: 'num' }, fixed(row.total)),
              h('span', { class: row.outcome }, (OUTCOMES[row.outcome] || ['·'])[0]),
              row.stages && lights(row.stages),
              a(
                { screen: 'trace', trace: row.id, ...filter },
                { base: boardBase(), class: 'peek grow' },
                row.peek || '(empty)',
              ),
              h('span', { class: 'small muted num' }, `step ${row.step}`),
            ),
          ),
        )
      : h('p', { class: 'muted' }, 'None.'),
  );
screens.hacks = {
  title: () => 'Hack board',
  load: (state) => ask('hacks', { run: state.run, from: state.from || '', to: state.to || '' }),
  draw(data, state) {
    if (data.empty) {
      return [h('h1', {}, 'Hack board'), boardSteps(data, state), empty('Nothing to look at yet', data.empty)];
    }
    return [
      h(
        'div',
        { class: 'tight' },
        h('h1', {}, 'Hack board'),
        h(
          'p',
          { class: 'muted' },
          'Where reward and merit part: what a model does when it works for the reward instead of the question.',
        ),
      ),
      boardSteps(data, state),
      h(
        'section',
        { class: 'tiles', 'aria-label': 'Figures' },
        data.tiles.map((one) => tile(one, boardBase())),
      ),
      h('p', { class: 'small muted', id: 's1-thresholds' }, data.thresholds),
      h(
        'div',
        { class: 'panes' },
        suspects(
          'Paid, yet wrong',
          'The process was paid although the answer is wrong.',
          data.paid_wrong,
          { flag: 'paid_yet_wrong', sort: '-paid_wrong' },
        ),
        suspects(
          'Right, yet unpaid',
          'Earned less than a wrong answer could have: a gate or the process took the reward away.',
          data.unpaid_right,
          { flag: 'right_yet_unpaid', sort: 'total' },
        ),
      ),
      h(
        'section',
        { class: 'card tight', 'data-figure': 'process' },
        h('h2', {}, 'Process against outcome'),
        h(
          'p',
          { class: 'small muted' },
          'Completions by how much of the process reward they earned. Where many wrong answers stand on the right, ' +
            'the process is paid for something else than reasoning to the answer.',
        ),
        processTable(data.process),
        data.process.left_out && h('p', { class: 'small muted' }, data.process.left_out),
      ),
      h(
        'div',
        { class: 'panes' },
        h(
          'section',
          { class: 'card tight', 'data-figure': 'length' },
          h('h2', {}, 'Length against outcome'),
          lengthPlot(data.lengths),
        ),
        h(
          'section',
          { class: 'card tight', 'data-figure': 'correlation' },
          h('h2', {}, 'Which rewards move together'),
          h(
            'p',
            { class: 'small muted' },
            'Pearson correlation over the completions that count. ' +
              '1: the two say the same; below 0: one is bought with the other. ' +
              'A cell leads to what has much of its row and little of its column.',
          ),
          matrix(data.correlation),
        ),
      ),
      h(
        'section',
        { class: 'card tight' },
        h('h2', {}, 'Repeated openings'),
        h('p', { class: 'small muted' }, data.openings_note),
        h(
          'div',
          { class: 'panes' },
          data.openings.map((entry) =>
            h(
              'div',
              { class: 'tight' },
              h('div', { class: 'row' }, glyph(entry.stage, 'present', false), h('h3', {}, TITLES[entry.stage])),
              entry.items.length
                ? h(
                    'ul',
                    { class: 'tight' },
                    entry.items.map((item) =>
                      h(
                        'li',
                        { class: 'row spread' },
                        a(
                          { screen: 'traces', q: `"${item.text.replaceAll('"', ' ')}"` },
                          { base: boardBase(), class: 'grow peek' },
                          `“${item.text} …”`,
                        ),
                        h('span', { class: 'num muted' }, `${count(item.n)} · ${percent(item.share)}`),
                      ),
                    ),
                  )
                : h('p', { class: 'muted small' }, 'No opening comes back.'),
            ),
          ),
        ),
      ),
    ];
  },
};
