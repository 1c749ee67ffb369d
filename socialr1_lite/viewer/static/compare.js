// Two runs, or two moments of runs, paired by prompt.
screens.compare = {
  anyRun: true,
  title: () => 'Compare',
  load: (state) =>
    ask('compare', {
      run: state.run || '',
      with: state.with || '',
      at: state.at || '',
      with_at: state.with_at || '',
      kind: state.kind || '',
      pair: state.pair || '',
      nth: state.nth || '',
    }),
  draw(data, state) {
    const side = (title, runKey, atKey, chosen) =>
      h(
        'section',
        { class: 'card tight' },
        h('h2', {}, title),
        h(
          'label',
          { class: 'field' },
          'Run',
          select(
            data.runs.map((run) => [run.key, run.label]),
            chosen.run,
            (value) => go({ [runKey]: value, [atKey]: null, nth: null, pair: null, screen: 'compare' }),
          ),
        ),
        h(
          'label',
          { class: 'field' },
          'Which completions',
          select(chosen.moments, chosen.at, (value) =>
            go({ [atKey]: value, nth: null, pair: null, screen: 'compare' }),
          ),
        ),
        h('p', { class: 'small muted' }, chosen.note),
      );
    const kinds = [
      ['', 'all'],
      ['win', 'fixed'],
      ['loss', 'broken'],
      ['flip', 'any flip'],
      ['both_wrong', 'both wrong'],
      ['both_right', 'both right'],
    ];
    const chips =
      data.counts &&
      h(
        'div',
        { class: 'row', role: 'group', 'aria-label': 'Which pairs' },
        kinds.map(([kind, title]) =>
          h(
            'button',
            {
              'aria-pressed': (state.kind || '') === kind ? 'true' : 'false',
              onclick: () => go({ kind, nth: null, pair: null, screen: 'compare' }),
            },
            title,
            h('span', { class: 'num' }, count(data.counts[kind || 'all'])),
          ),
        ),
      );
    return [
      h('h1', {}, 'Compare'),
      h('div', { class: 'panes' }, side('Left', 'run', 'at', data.left), side('Right', 'with', 'with_at', data.right)),
      data.notice
        ? h('p', { class: 'note plain-note' }, data.notice)
        : [
            h('section', { class: 'tiles' }, data.tiles.map((one) => tile(one))),
            rises(data.splits),
            chips,
            data.pairs.length
              ? h(
                  'div',
                  { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Pairs' },
                  h(
                    'table',
                    { class: 'grid' },
                    h(
                      'thead',
                      {},
                      h(
                        'tr',
                        {},
                        ['Prompt', 'Left', 'Right', 'Reward', ''].map((x) => h('th', {}, x)),
                      ),
                    ),
                    h(
                      'tbody',
                      {},
                      data.pairs.map((pair) =>
                        h(
                          'tr',
                          {
                            class: pair.scenario === data.open ? 'here' : '',
                            'data-pair': pair.scenario,
                            onclick: () => go({ pair: pair.scenario, screen: 'compare' }),
                          },
                          h(
                            'td',
                            { class: 'wide' },
                            h(
                              'button',
                              {
                                class: 'plain peek long',
                                onclick: () => go({ pair: pair.scenario, screen: 'compare' }),
                              },
                              pair.question || pair.scenario,
                            ),
                          ),
                          h(
                            'td',
                            { class: 'nowrap' },
                            outcomeChip(pair.left.outcome),
                            pair.left.letter && ` ${pair.left.letter}`,
                          ),
                          h(
                            'td',
                            { class: 'nowrap' },
                            outcomeChip(pair.right.outcome),
                            pair.right.letter && ` ${pair.right.letter}`,
                          ),
                          h('td', { class: 'n' }, `${fixed(pair.left.total)} → ${fixed(pair.right.total)}`),
                          h('td', { class: 'n' }, signed(pair.right.total - pair.left.total)),
                        ),
                      ),
                    ),
                  ),
                )
              : empty('No pair of this kind'),
            data.matching > data.size && pages({ total: data.matching, page: data.page, size: data.size }, state),
            data.detail &&
              h(
                'section',
                { class: 'stack', id: 's1-pair' },
                h(
                  'div',
                  { class: 'card tight' },
                  h('p', { class: 'prose sm' }, data.detail.story),
                  h('p', { class: 'prose sm' }, h('b', {}, data.detail.question)),
                ),
                h(
                  'div',
                  { class: 'panes' },
                  ['left', 'right'].map((which) => pane(data.detail[which], data[which].run)),
                ),
              ),
          ],
    ];
  },
};
// By how much more often the right side is right, over all and by kind of prompt, each with its interval over stories.
function rises(splits) {
  const rows = splits.flatMap((split) => split.rows);
  const most = Math.max(0.1, ...rows.flatMap((m) => [m.value, m.low, m.high].map((x) => Math.abs(x ?? 0))));
  const edge = Math.min(1, Math.ceil(10 * most) / 10);
  const words = (x, digits = 0) => (x > 0 ? '+' : '') + percent(x, digits);
  const scale = { low: -edge, high: edge, words, mark: 0, name: 'no difference' };
  const drawn = ({ name, rows: some }) =>
    forest(
      some.map((m) => [m.name, m, m.low !== null && m.high < 0 ? 'wrong' : 'goal_clarification']),
      scale,
      name ? `right answers by ${name}` : 'right answers',
    );
  const [all, ...kinds] = splits;
  return h(
    'section',
    { class: 'card stack', id: 's1-rises' },
    h('h2', {}, 'Right answers: right side less left side'),
    drawn(all),
    kinds.map((split) =>
      h('details', { 'data-split': split.name }, h('summary', {}, `by ${split.name}`), drawn(split)),
    ),
    kinds.length > 0 &&
      h('p', { class: 'small muted' }, 'Many kinds are many looks: of twenty, one leaves 0 by chance alone.'),
  );
}
const select = (options, chosen, change = () => {}) => {
  const node = h(
    'select',
    { onchange: (e) => change(e.target.value) },
    options.map(([value, title]) => h('option', { value }, title)),
  );
  node.value = chosen;
  return node;
};
const pane = (side, run) =>
  h(
    'section',
    { class: 'card stack' },
    h(
      'div',
      { class: 'row spread' },
      h('h2', {}, a({ run, screen: 'trace', trace: side.id }, { base: {} }, side.title)),
      h('span', { class: 'row' }, outcomeChip(side.outcome), h('b', { class: 'num' }, fixed(side.total))),
    ),
    STAGES.map((stage, i) =>
      h(
        'div',
        { class: 'tight', style: { '--hue': `var(--${stage})` } },
        h(
          'div',
          { class: 'row small' },
          glyph(stage, side.states[stage]),
          h('b', {}, TITLES[stage]),
          side.states[stage] !== 'present' && h('span', { class: 'state bad' }, side.states[stage]),
        ),
        h(
          'div',
          { class: 'prose sm' },
          side.diff[i].length ? worded(side.diff[i]) : h('span', { class: 'muted' }, '–'),
        ),
      ),
    ),
    h('p', {}, h('b', {}, 'Answer '), side.answer || '–'),
  );
