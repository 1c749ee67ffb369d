// Evaluation reports: accuracy with its interval, by group, beside what others published.
function interval(m, tone = 'ink', chance = null) {
  const X = (x) => 4 + 292 * Math.max(0, Math.min(1, x));
  return s(
    'svg',
    {
      viewBox: '0 0 300 18',
      preserveAspectRatio: 'none',
      role: 'img',
      'aria-label':
        `${percent(m.value, 1)}, ` +
        (m.low === null ? 'no interval' : `interval ${percent(m.low, 1)} to ${percent(m.high, 1)}`),
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
    chance !== null &&
      s(
        'line',
        { x1: X(chance), x2: X(chance), y1: 0, y2: 18, stroke: 'var(--ink-2)', 'stroke-dasharray': '2 2' },
        s('title', {}, `chance ${percent(chance)}`),
      ),
    m.value !== null && s('rect', { x: X(m.value) - 2, y: 2, width: 4, height: 14, rx: 2, fill: `var(--${tone})` }),
  );
}
const figureOf = (m) =>
  h(
    'span',
    { class: 'num' },
    h('b', {}, percent(m.value, 1)),
    m.low !== null && h('span', { class: 'muted small' }, ` ${percent(m.low, 1)} to ${percent(m.high, 1)}`),
    m.n !== null && h('span', { class: 'muted small' }, ` · n ${count(m.n)}`),
  );
const forest = (rows, chance = null) =>
  h(
    'div',
    { class: 'forest' },
    rows.map(([name, m, tone]) => [h('span', {}, name), interval(m, tone, chance), figureOf(m)]),
  );
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
                  m.name.startsWith('accuracy') && report.answers.chance !== undefined ? report.answers.chance : null,
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
                  forest(group.rows.map((m) => [m.name, m, 'goal_clarification'])),
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
