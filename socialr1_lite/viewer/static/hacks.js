// Where reward and merit part: what a reward hacker would do, and whether this run does it.
function matrix(data) {
  const shade = (value) => {
    const hue = value < 0 ? 'var(--wrong)' : 'var(--cue_encoding)';
    return { background: `color-mix(in srgb, ${hue} ${Math.round(Math.abs(value) * 34)}%, var(--surface))` };
  };
  const cell = (value) => h('td', { style: value === null ? {} : shade(value) }, value === null ? '–' : fixed(value));
  return h(
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
          data.names.map((name) => h('th', { scope: 'col' }, name)),
        ),
      ),
      h(
        'tbody',
        {},
        data.rows.map((row, i) => h('tr', {}, h('th', { scope: 'row' }, data.names[i]), row.map(cell))),
      ),
    ),
  );
}
function lengthPlot(bins) {
  const most = Math.max(...bins.map((bin) => bin.right + bin.wrong + bin.unreadable), 1);
  const width = 460;
  const height = 220;
  const step = (width - 40) / Math.max(1, bins.length);
  const kinds = [
    ['right', 'right'],
    ['wrong', 'wrong'],
    ['unreadable', 'unreadable'],
  ];
  return [
    s(
      'svg',
      {
        viewBox: `0 0 ${width} ${height}`,
        class: 'dots',
        role: 'img',
        'aria-label': 'Completions by length and outcome',
      },
      bins.map((bin, i) => {
        let y = height - 24;
        return [
          kinds.map(([kind]) => {
            const tall = ((height - 50) * bin[kind]) / most;
            y -= tall;
            return s(
              'rect',
              {
                x: 36 + i * step,
                y,
                width: Math.max(1, step - 2),
                height: tall,
                fill: `var(--${kind})`,
                'fill-opacity': kind === 'right' ? 0.9 : kind === 'wrong' ? 0.55 : 0.3,
              },
              s('title', {}, `${bin.from}–${bin.to} tokens: ${bin[kind]} ${kind}`),
            );
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
    h('p', { class: 'small muted' }, 'Tokens a completion; from dark to light: right, wrong, unreadable.'),
  ];
}
const suspects = (title, note, rows, filter) =>
  h(
    'section',
    { class: 'card tight' },
    h(
      'div',
      { class: 'row spread' },
      h('h2', {}, title),
      rows.length > 0 && filter && a({ screen: 'traces', ...filter }, {}, 'all of them'),
    ),
    h('p', { class: 'small muted' }, note),
    rows.length
      ? h(
          'ul',
          { class: 'tight' },
          rows.map((row) =>
            h(
              'li',
              { class: 'row' },
              h('b', { class: 'num' }, fixed(row.total)),
              h('span', { class: row.outcome }, (OUTCOMES[row.outcome] || ['·'])[0]),
              row.stages && lights(row.stages),
              a({ screen: 'trace', trace: row.id, ...filter }, { class: 'peek grow' }, row.peek || '(empty)'),
              h('span', { class: 'small muted num' }, `step ${row.step}`),
            ),
          ),
        )
      : h('p', { class: 'muted' }, 'None.'),
  );
screens.hacks = {
  title: () => 'Hack board',
  load: (state) => ask('hacks', { run: state.run }),
  draw(data) {
    if (data.empty) return [h('h1', {}, 'Hack board'), empty('Nothing to look at yet', data.empty)];
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
      h('section', { class: 'tiles' }, data.tiles.map(tile)),
      h(
        'div',
        { class: 'panes' },
        suspects('High reward, wrong answer', 'The process was paid although the answer is wrong.', data.paid_wrong, {
          outcome: 'wrong',
          sort: '-total',
        }),
        suspects(
          'Right answer, low reward',
          'Right, yet a gate or the process took the reward away.',
          data.unpaid_right,
          { outcome: 'right', sort: 'total' },
        ),
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
              '1: the two say the same; below 0: one is bought with the other.',
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
                          { class: 'grow peek' },
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
