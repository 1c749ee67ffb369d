// The completions of one prompt side by side: columns are siblings, rows are stages.
function separation(data) {
  return h(
    'section',
    { class: 'card tight', 'aria-label': 'What separated them' },
    h('h2', {}, 'What separated best from worst'),
    data.flat ? h('p', { class: 'note' }, data.flat) : data.separated && h('p', {}, data.separated),
    h(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Table' },
      h(
        'table',
        { class: 'grid still' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            h('th', {}, 'Component'),
            data.members.map((m) => h('th', { class: 'n' }, `#${m.index}`)),
            h('th', { class: 'n' }, 'spread in reward'),
          ),
        ),
        h(
          'tbody',
          {},
          data.terms.map((term) =>
            h(
              'tr',
              {},
              h('th', { scope: 'row' }, term.title),
              term.values.map((value) => h('td', { class: 'n' }, value === null ? '–' : fixed(value))),
              h('td', { class: 'n' }, fixed(term.spread)),
            ),
          ),
        ),
      ),
    ),
  );
}
screens.group = {
  title: (state, data) => (data ? `Group ${data.group}` : 'Group'),
  load: (state) => ask('group', { run: state.run, trace: state.trace || '' }),
  draw(data, state) {
    const base = keep(FILTERS, 'sort');
    const n = data.members.length;
    const heads = window.innerWidth < 820 ? '128px' : 'minmax(160px, 168px)'; // no word is broken
    const top = Math.max(...data.members.map((m) => Math.abs(m.advantage || 0)), 1e-9);
    const head = data.members.map((m) =>
      h(
        'div',
        { class: 'cell tight' },
        h(
          'div',
          { class: 'row spread' },
          a(
            { screen: 'trace', trace: m.id },
            { base, 'aria-current': m.id === data.id ? 'true' : null },
            h('b', {}, `#${m.index}`),
          ),
          outcomeChip(m.outcome),
        ),
        h('div', { class: 'big' }, fixed(m.total)),
        h('div', { class: 'small num' }, diverge(m.advantage, top), ' ', signed(m.advantage)),
        h('div', { class: 'small muted num' }, plural(m.tokens, 'token'), m.finish === 'length' ? ' · cut' : ''),
      ),
    );
    const stageRow = (stage, i) => [
      h(
        'div',
        { class: 'cell headed tight' },
        h(
          'div',
          { class: 'row', style: { color: `var(--${stage})` } },
          glyph(stage, 'present', false),
          h('h3', { style: { color: 'var(--ink)' } }, TITLES[stage]),
        ),
        h('p', { class: 'small muted' }, data.agreement[i]),
      ),
      data.members.map((m) =>
        h(
          'div',
          { class: `cell ${m.same[i] ? 'same' : ''}` },
          h(
            'div',
            { class: 'small muted row' },
            glyph(stage, m.states[stage], false),
            m.states[stage],
            m.same[i] ? ` · as #${m.same[i] - 1}` : '',
          ),
          state.alike && m.same[i]
            ? null
            : h(
                'div',
                {
                  class: 'prose sm clip',
                  tabindex: '0',
                  role: 'region',
                  'aria-label': `${TITLES[stage]}, #${m.index}`,
                },
                saidAs(m.texts[i]) || h('span', { class: 'muted' }, '–'),
              ),
        ),
      ),
    ];
    const answers = [
      h('div', { class: 'cell headed tight' }, h('h3', {}, 'Answer'), h('p', { class: 'small muted' }, data.answers)),
      data.members.map((m) => h('div', { class: 'cell' }, h('span', { class: m.outcome }, m.answer || '–'))),
    ];
    return [
      h(
        'div',
        { class: 'crumbs' },
        h('h1', {}, `Group ${data.group}`),
        h('span', { class: 'muted' }, `step ${data.step} · ${plural(n, 'completion')} of one prompt`),
        h('span', { class: 'grow' }),
        h(
          'button',
          {
            'aria-pressed': state.alike ? 'true' : 'false',
            onclick: () => go({ alike: state.alike ? null : 1 }, { replace: true }),
          },
          'Only differences',
        ),
      ),
      localTabs({ id: data.id, siblings: data.members }, 'group'),
      questionCard(data),
      separation(data),
      h(
        'div',
        {
          class: 'columns',
          tabindex: '0',
          role: 'region',
          'aria-label': 'Completions side by side',
          style: {
            'grid-template-columns': `${heads} repeat(${n}, minmax(232px, 1fr))`,
          },
        },
        h('div', { class: 'cell headed' }, h('span', { class: 'small muted' }, 'reward, advantage')),
        head,
        STAGES.map(stageRow),
        answers,
      ),
    ];
  },
  keys: {
    u: () => visit(link({ screen: 'trace', trace: here.data.id }, keep(FILTERS, 'sort'))),
    d: () => visit(link({ screen: 'prompt', trace: here.data.id }, keep(FILTERS, 'sort'))),
  },
};
