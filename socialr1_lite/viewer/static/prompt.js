// One prompt across training: its answers over time, and a word diff of one stage between two moments.
const worded = (parts) =>
  parts.map(([kind, text]) =>
    kind === '+' ? h('ins', {}, text) : kind === '-' ? h('del', {}, text) : document.createTextNode(text),
  );
screens.prompt = {
  title: () => 'Across training',
  load: (state) =>
    ask('prompt', {
      run: state.run,
      trace: state.trace || '',
      a: state.a || '',
      b: state.b || '',
      stage: state.stage || '',
    }),
  draw(data, state) {
    const base = keep(FILTERS, 'sort');
    const side = (which, title) => {
      const at = data.moments.findIndex((m) => m.id === data[which].id);
      const slider = h('input', {
        type: 'range',
        min: 0,
        max: data.moments.length - 1,
        value: at,
        'aria-label': `${title}: which moment`,
        'aria-valuetext': `step ${data[which].step}`,
        onchange: (e) => go({ [which]: data.moments[Number(e.target.value)].id }, { replace: true }),
      });
      return h(
        'div',
        { class: 'tight' },
        h(
          'div',
          { class: 'row spread' },
          h('h3', {}, title),
          a({ screen: 'trace', trace: data[which].id }, { base }, data[which].title),
        ),
        slider,
        h(
          'div',
          { class: 'row small' },
          outcomeChip(data[which].outcome),
          h('span', { class: 'num' }, `reward ${fixed(data[which].total)}`),
          lights(data[which].states),
        ),
      );
    };
    const dots = h(
      'div',
      { class: 'timeline', role: 'group', 'aria-label': 'Answers over time' },
      data.moments.map((m) =>
        h(
          'button',
          {
            class: m.outcome,
            'aria-pressed': m.id === data.b.id ? 'true' : 'false',
            title: `${m.name ? `${m.name}, ` : ''}step ${m.step}, #${m.index}: ${m.outcome}, reward ${fixed(m.total)}`,
            'aria-label': `Step ${m.step}, sibling ${m.index}: ${m.outcome}`,
            onclick: () => go({ b: m.id }, { replace: true }),
          },
          m.letter || (OUTCOMES[m.outcome] || ['·'])[0],
          h('small', {}, m.step),
        ),
      ),
    );
    const tabs = h(
      'div',
      { class: 'row', role: 'group', 'aria-label': 'Which part' },
      [...STAGES, 'all'].map((stage) =>
        h(
          'button',
          { 'aria-pressed': data.stage === stage ? 'true' : 'false', onclick: () => go({ stage }, { replace: true }) },
          stage === 'all' ? 'Whole reply' : [glyph(stage, 'present', false), TITLES[stage]],
        ),
      ),
    );
    return [
      h(
        'div',
        { class: 'crumbs' },
        h('h1', {}, 'One prompt across training'),
        h(
          'span',
          { class: 'muted' },
          `${plural(data.moments.length, 'completion')} over ${plural(data.steps, 'step')}`,
          data.more ? `, ${count(data.more)} more not shown` : '',
        ),
      ),
      localTabs({ id: data.id, siblings: data.siblings }, 'prompt'),
      h(
        'section',
        { class: 'card tight' },
        h('p', { class: 'prose sm' }, data.story),
        h('p', { class: 'prose sm' }, h('b', {}, data.question)),
      ),
      h(
        'section',
        { class: 'card tight' },
        h(
          'div',
          { class: 'row spread' },
          h('h2', {}, 'Answers over time'),
          h('p', { class: 'small muted' }, data.flips),
        ),
        dots,
        data.steps > 1 &&
          h(
            'div',
            { class: 'charts' },
            data.charts.map((spec) => chart(spec, null)),
          ),
      ),
      data.moments.length < 2
        ? h('p', { class: 'note plain-note' }, 'This prompt came up once, so there is nothing yet to compare it with.')
        : h(
            'section',
            { class: 'card stack' },
            h('div', { class: 'panes' }, side('a', 'Earlier'), side('b', 'Later')),
            tabs,
            h('p', { class: 'small muted' }, data.change),
            h(
              'div',
              { class: 'prose', id: 's1-diff' },
              data.diff.length ? worded(data.diff) : h('span', { class: 'muted' }, 'Neither says anything here.'),
            ),
          ),
    ];
  },
  keys: {
    u: () => visit(link({ screen: 'trace', trace: here.data.id }, keep(FILTERS, 'sort'))),
    g: () => visit(link({ screen: 'group', trace: here.data.id }, keep(FILTERS, 'sort'))),
    1: () => go({ stage: STAGES[0] }),
    2: () => go({ stage: STAGES[1] }),
    3: () => go({ stage: STAGES[2] }),
    4: () => go({ stage: STAGES[3] }),
  },
};
