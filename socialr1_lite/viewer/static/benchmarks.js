// Evaluation reports: accuracy with its interval, by group, beside what others published.
// What a forest measures: from `low` to `high` across, written by `words`; a dashed line at `mark`, with its name.
const SHARES = { low: 0, high: 1, words: percent, mark: null, name: 'chance' };
function interval(m, tone = 'ink', scale = SHARES) {
  const X = (x) => 4 + 292 * Math.max(0, Math.min(1, (x - scale.low) / (scale.high - scale.low)));
  return s(
    'svg',
    {
      viewBox: '0 0 300 18',
      preserveAspectRatio: 'none',
      role: 'img',
      'aria-label':
        `${scale.words(m.value, 1)}, ` +
        (m.low === null ? 'no interval' : `interval ${scale.words(m.low, 1)} to ${scale.words(m.high, 1)}`),
    },
    s('rect', { x: 4, y: 8, width: 292, height: 2, fill: 'var(--line)' }),
    m.low !== null &&
      m.high !== null &&
      s('rect', {
        x: X(m.low),
        y: 6,
        width: Math.max(1, X(m.high) - X(m.low)),
        height: 6,
        rx: 3,
        fill: `var(--${tone})`,
        opacity: 0.35,
      }),
    scale.mark !== null &&
      s(
        'line',
        { x1: X(scale.mark), x2: X(scale.mark), y1: 0, y2: 18, stroke: 'var(--ink-2)', 'stroke-dasharray': '2 2' },
        s('title', {}, `${scale.name} ${scale.words(scale.mark)}`),
      ),
    m.value !== null && s('rect', { x: X(m.value) - 2, y: 2, width: 4, height: 14, rx: 2, fill: `var(--${tone})` }),
  );
}
const figureOf = (m, words) =>
  h(
    'span',
    { class: 'num' },
    h('b', {}, words(m.value, 1)),
    m.low !== null && h('span', { class: 'muted small' }, ` ${words(m.low, 1)} to ${words(m.high, 1)}`),
    m.n !== null && h('span', { class: 'muted small' }, ` · n ${count(m.n)}`),
  );
const forest = (rows, given = {}, title = '') => {
  const scale = { ...SHARES, ...given };
  return [
    h(
      'div',
      { class: 'forest' },
      rows.map(([name, m, tone]) => [h('span', {}, name), interval(m, tone, scale), figureOf(m, scale.words)]),
    ),
    title && figureFiles(title, { svg: () => forestSvg(title, rows, scale), rows: () => forestRows(rows, scale) }),
  ];
};
const forestRows = (rows, { mark, name: marked }) => [
  ['name', 'value', 'low', 'high', 'n', marked],
  ...rows.map(([name, m]) => [name, ...[m.value, m.low, m.high, m.n, mark].map((x) => x ?? '')]),
];
// The same as a drawing of its own.
function forestSvg(title, rows, { low, high, words, mark }) {
  const [left, wide, tall] = [200, 360, 28];
  const [width, height] = [left + wide + 220, tall * rows.length + 34];
  const X = (x) => left + wide * Math.max(0, Math.min(1, (x - low) / (high - low)));
  const ink = resolved('var(--ink)');
  const line = resolved('var(--line)');
  const text = (x, y, told, anchor) =>
    s('text', { x, y, fill: ink, 'font-family': 'sans-serif', 'font-size': 12, 'text-anchor': anchor }, told);
  const drawing = s(
    'svg',
    { viewBox: `0 0 ${width} ${height}` },
    [0, 0.25, 0.5, 0.75, 1]
      .map((share) => low + share * (high - low))
      .map((x) => [
        s('path', { d: `M${X(x)} 0V${height - 24}`, stroke: line }),
        text(X(x), height - 8, words(x), 'middle'),
      ]),
    mark !== null && s('path', { d: `M${X(mark)} 0V${height - 24}`, stroke: ink, 'stroke-dasharray': '3 3' }),
    rows.map(([name, m, tone], i) => {
      const y = tall * i + 16;
      const hue = resolved(`var(--${tone})`);
      const ends = m.low === null ? '' : `  ${words(m.low, 1)} to ${words(m.high, 1)}`;
      return [
        text(12, y + 4, name.length > 28 ? `${name.slice(0, 27)}…` : name, 'start'),
        m.low !== null && s('path', { d: `M${X(m.low)} ${y}H${X(m.high)}`, stroke: hue, 'stroke-width': 2 }),
        m.value !== null && s('circle', { cx: X(m.value), cy: y, r: 4.5, fill: hue }),
        text(left + wide + 24, y + 4, words(m.value, 1) + ends, 'start'),
      ];
    }),
  );
  return sheetOf(title, '', [], drawing, width, height);
}
screens.benchmarks = {
  title: () => 'Benchmarks',
  load: (state) => ask('benchmarks', { run: state.run }),
  draw(data) {
    return [
      h('h1', {}, 'Benchmarks'),
      data.notices.map((notice) => h('p', { class: 'note small' }, notice)),
      data.reports.length
        ? data.reports.map((report) =>
            h(
              'section',
              { class: 'card stack', 'data-benchmark': report.benchmark },
              h(
                'div',
                { class: 'row spread' },
                h('h2', {}, report.benchmark),
                h(
                  'span',
                  { class: 'row small muted' },
                  report.facts.map((fact) => h('span', {}, fact)),
                  report.has_traces &&
                    a({ screen: 'traces', phase: 'eval', benchmark: report.benchmark }, {}, 'its replies'),
                ),
              ),
              report.metrics.map((m) =>
                forest(
                  [[m.name + (m.official ? '' : ' (ours)'), m, 'cue_encoding']],
                  m.name.startsWith('accuracy') ? { mark: report.answers.chance ?? null } : {},
                  `${report.benchmark} ${m.name}`,
                ),
              ),
              report.answers.letters &&
                report.answers.letters.length > 0 && [
                  report.answers.alerts.map((text) => h('p', { class: 'note small' }, text.replace('last ', ''))),
                  h(
                    'details',
                    {},
                    h('summary', {}, 'Answers against chance, letter by letter (all evaluations in this run)'),
                    letterTable(report.answers, { ...keep(), phase: 'eval', benchmark: written(report.benchmark) }),
                  ),
                ],
              report.groups.map((group) =>
                h(
                  'details',
                  { open: group.rows.length <= 8 },
                  h('summary', {}, `by ${group.name}`),
                  forest(
                    group.rows.map((m) => [m.name, m, 'goal_clarification']),
                    {},
                    `${report.benchmark} by ${group.name}`,
                  ),
                ),
              ),
              report.published.length > 0 &&
                h(
                  'div',
                  { class: 'tight' },
                  h('h3', {}, 'Published figures'),
                  h(
                    'p',
                    { class: 'small muted' },
                    'As their authors report them; their protocol may differ from ours.',
                  ),
                  h(
                    'table',
                    { class: 'grid still' },
                    h(
                      'tbody',
                      {},
                      report.published.map((row) =>
                        h(
                          'tr',
                          {},
                          h('th', { scope: 'row' }, row.label),
                          h('td', { class: 'n' }, percent(row.value, 1)),
                          h('td', { class: 'small muted' }, [row.source, row.protocol].filter(Boolean).join(' · ')),
                        ),
                      ),
                    ),
                  ),
                ),
              h('p', { class: 'small muted' }, report.source),
            ),
          )
        : empty(
            data.checks.length ? 'No benchmark yet' : 'No evaluation yet',
            'Put this run to a benchmark, then come back:',
            h('code', { class: 'mono' }, data.command),
          ),
      data.checks.length > 0 &&
        h(
          'section',
          { class: 'card tight' },
          h('h2', {}, 'Held-out checks during training'),
          data.checks.map((one) =>
            h(
              'p',
              {},
              a({ screen: 'traces', ...one.filter }, {}, `${one.name}: ${one.told}`),
              h('span', { class: 'small muted' }, ` at step ${one.step}`),
            ),
          ),
        ),
    ];
  },
};
