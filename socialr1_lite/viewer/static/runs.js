// Which runs there are.
screens.runs = {
  title: () => 'Runs',
  async load() {
    catalogue = await ask('runs', {});
    return catalogue;
  },
  async live() {
    // what changes while somebody looks: new runs, steps, who fell silent
    const drawn = here.data;
    const fresh = await ask('runs', {});
    const told = (list) => JSON.stringify(list.runs.map(({ age, ...run }) => run));
    if (here.data !== drawn || told(fresh) === told(drawn)) return;
    catalogue = fresh;
    await show({ quiet: true });
  },
  draw(data) {
    if (!data.runs.length) return [empty('No runs yet', data.hint)];
    return [
      h(
        'div',
        { class: 'row spread' },
        h('div', { class: 'tight' }, h('h1', {}, 'Runs'), h('p', { class: 'muted' }, data.hint)),
        data.runs.length > 1 && a({ screen: 'compare' }, { base: {}, class: 'button' }, 'Compare two'),
      ),
      h(
        'div',
        { class: 'picks' },
        data.runs.map((run) =>
          run.problem
            ? h(
                'section',
                { class: 'card tight' },
                h('h2', {}, run.label),
                h('p', { class: 'note small' }, run.problem),
                h('p', { class: 'small muted' }, run.place),
              )
            : a(
                { run: run.key, screen: 'overview' },
                { base: {}, class: 'card pick', 'data-run': run.key },
                h(
                  'div',
                  { class: 'row spread' },
                  h('h2', {}, run.label),
                  run.writing && h('span', { class: 'live on' }, h('i'), 'live'),
                ),
                h('p', { class: 'small muted' }, run.model || 'model not recorded'),
                h(
                  'div',
                  { class: 'row num' },
                  h('span', {}, run.max_steps ? `step ${run.step} of ${run.max_steps}` : `step ${run.step}`),
                  h('span', { class: 'muted' }, run.status),
                ),
                h('p', { class: 'small muted num' }, run.age === null ? '' : `written ${ago(run.age)}`),
                h('p', { class: 'small muted' }, run.place),
              ),
        ),
      ),
    ];
  },
};
