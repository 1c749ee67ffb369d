// Old and new verdicts side by side: what was paid, and what a judge says that was asked again.
const verdictBar = (value, tone) =>
  h('span', { class: 'bar' }, h('i', { style: { width: `${100 * (value || 0)}%`, background: `var(--${tone})` } }));
function verdictStages(data, state) {
  const turned = (stage, way, n) => {
    const on = state.stage === stage && state.way === way;
    return h(
      'td',
      { class: 'n' },
      a(
        { screen: 'verdicts', judge: data.judge, stage: on ? null : stage, way: on ? null : way },
        { 'aria-current': on ? 'true' : null },
        count(n),
      ),
    );
  };
  return h(
    'table',
    { class: 'grid still letters' },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        [
          'Stage',
          'Verdicts',
          'As paid',
          `${data.judge}, asked again`,
          `lower by ${data.apart}`,
          `higher by ${data.apart}`,
        ].map((title) => h('th', { scope: 'col' }, title)),
      ),
    ),
    h(
      'tbody',
      {},
      data.stages.map((one) =>
        h(
          'tr',
          { 'data-stage': one.stage },
          h('th', { scope: 'row' }, glyph(one.stage, 'present', false), ` ${TITLES[one.stage]}`),
          h('td', { class: 'n' }, count(one.n)),
          h('td', {}, verdictBar(one.old, 'ink-2'), ` ${fixed(one.old)}`),
          h('td', {}, verdictBar(one.new, one.stage), ` ${fixed(one.new)}`),
          turned(one.stage, 'down', one.down),
          turned(one.stage, 'up', one.up),
        ),
      ),
    ),
  );
}
const verdictRow = (row) =>
  h(
    'tr',
    { 'data-change': row.id },
    h('td', { class: 'half' }, glyph(row.stage), ` ${TITLES[row.stage]}`),
    h('td', { class: 'n third', 'data-label': 'as paid' }, fixed(row.old)),
    h('td', { class: 'n third', 'data-label': 'again' }, fixed(row.new)),
    h('td', { class: 'n third', 'data-label': 'by' }, signed(row.by)),
    h('td', { class: 'third' }, outcomeChip(row.outcome)),
    h('td', { class: 'n third', 'data-label': 'step' }, row.step),
    h('td', { class: 'wide' }, a({ screen: 'trace', trace: row.id }, { class: 'peek' }, row.peek || 'open')),
  );
screens.verdicts = {
  title: () => 'Judged again',
  load: (state) =>
    ask('verdicts', {
      run: state.run,
      judge: state.judge || '',
      stage: state.stage || '',
      way: state.way || '',
      nth: state.nth || '',
    }),
  draw(data, state) {
    const head = h('div', { class: 'row spread' }, h('h1', {}, 'Judged again'), whyTabs('verdicts'));
    if (!data.judges.length)
      return [
        head,
        empty(
          'No judge was asked again',
          'Ask one, and its verdicts stand here beside those that were paid:',
          data.command,
        ),
      ];
    const last = Math.max(1, Math.ceil(data.matching / data.size));
    const words = { down: 'lower than what was paid', up: 'higher than what was paid' }[state.way] || 'changed';
    const of = state.stage ? ` in ${TITLES[state.stage]}` : '';
    return [
      head,
      h(
        'div',
        { class: 'card stack' },
        h(
          'label',
          { class: 'field' },
          'Judge',
          select(
            data.judges.map((one) => [one, one]),
            data.judge,
            (judge) => go({ judge, nth: null }),
          ),
        ),
        h('p', { class: 'small muted' }, `${plural(data.compared, 'completion')} with both verdicts; means over them.`),
        h(
          'div',
          { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'By stage' },
          verdictStages(data, state),
        ),
      ),
      h(
        'section',
        { class: 'stack' },
        h(
          'div',
          { class: 'row spread' },
          h('h2', {}, `${plural(data.matching, 'verdict')} ${words}${of}`),
          (state.stage || state.way) &&
            h('button', { onclick: () => go({ stage: null, way: null, nth: null }) }, 'All of them'),
        ),
        h(
          'div',
          { class: 'card' },
          h(
            'table',
            { class: 'grid still fold' },
            h(
              'thead',
              {},
              h(
                'tr',
                {},
                ['Stage', 'As paid', 'Again', 'By', 'Answer', 'Step', 'Reply'].map((one) =>
                  h('th', { scope: 'col' }, one),
                ),
              ),
            ),
            h('tbody', {}, data.rows.map(verdictRow)),
          ),
        ),
        last > 1 && pager(data.page, last),
      ),
    ];
  },
};
