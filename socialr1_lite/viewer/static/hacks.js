// Where reward and merit part: what a reward hacker would do, and whether this run does it.
// Every figure here leads to its completions: the board's own steps go with the link.
const boardBase = () => ({ ...keep('from', 'to'), phase: 'train' });
const toTraces = (filter, ...kids) => a({ screen: 'traces', ...filter }, { base: boardBase() }, ...kids);
function matrix(data) {
  const shade = (value) => {
    const hue = value < 0 ? 'var(--wrong)' : 'var(--cue_encoding)';
    return { background: `color-mix(in srgb, ${hue} ${Math.round(Math.abs(value) * 34)}%, var(--surface))` };
  };
  const cell = (value, filter) =>
    h(
      'td',
      { style: value === null ? {} : shade(value) },
      Object.keys(filter).length ? toTraces(filter, value === null ? '–' : fixed(value)) : '–',
    );
  return table(
    data.names,
    data.rows.map((row, i) => [data.names[i], row.map((value, j) => cell(value, data.filters[i][j]))]),
  );
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
  return table(
    data.columns,
    data.rows.map((row) => [
      outcomeChip(row.outcome),
      row.cells.map(({ n, filter }) => {
        const hue = `color-mix(in srgb, var(--${row.outcome}) ${Math.round((n / most) * 34)}%, var(--surface))`;
        return h('td', { style: { background: hue } }, toTraces(filter, count(n)));
      }),
    ]),
  );
}
function lengthPlot(bins) {
  const most = Math.max(...bins.map((bin) => bin.right + bin.wrong + bin.unreadable), 1);
  const width = 460;
  const height = 220;
  const step = (width - 40) / Math.max(1, bins.length);
  const opacity = { right: 0.9, wrong: 0.55, unreadable: 0.3 };
  const bar = (bin, i, kind, y, tall) => {
    const href = link(
      { screen: 'traces', tokens_min: bin.from, tokens_max: bin.to, outcome: OUTCOMES_OF[kind] },
      boardBase(),
    );
    const words = `${bin.from}–${bin.to} tokens: ${bin[kind]} ${kind}`;
    return s(
      'a',
      {
        href,
        'aria-label': words,
        onclick: (event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          visit(href);
        },
      },
      s(
        'rect',
        {
          x: 36 + i * step,
          y,
          width: Math.max(1, step - 2),
          height: tall,
          fill: `var(--${kind})`,
          'fill-opacity': opacity[kind],
        },
        s('title', {}, words),
      ),
    );
  };
  return [
    s(
      'svg',
      { viewBox: `0 0 ${width} ${height}`, class: 'dots', role: 'group', 'aria-label': 'Completions by length' },
      bins.map((bin, i) => {
        let y = height - 24;
        return [
          Object.keys(opacity).map((kind) => {
            const tall = ((height - 50) * bin[kind]) / most;
            y -= tall;
            return bin[kind] > 0 && bar(bin, i, kind, y, tall);
          }),
          i % Math.ceil(bins.length / 6) === 0 &&
            s(
              'text',
              { x: 36 + i * step, y: height - 8, class: 'tick', fill: 'var(--ink-2)', 'font-size': 11 },
              bin.from,
            ),
        ];
      }),
      s('text', { x: 2, y: 14, fill: 'var(--ink-2)', 'font-size': 11 }, `${count(most)} completions`),
    ),
    h('p', { class: 'small muted' }, 'Tokens a completion; from dark to light: right, wrong, the rest.'),
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
        { class: 'card tight' },
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
        h('section', { class: 'card tight' }, h('h2', {}, 'Length against outcome'), lengthPlot(data.lengths)),
        h(
          'section',
          { class: 'card tight' },
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
