// Which runs there are.
async function listed(name, args) {
  try {
    await ask(name, args);
  } catch (error) {
    toast(error.message);
  }
  await show({ quiet: true });
}
// A run's card, with the button that takes it off the list beside it: a button inside a link is none.
const held = (run, card) =>
  h(
    'div',
    { class: 'held' },
    card,
    h(
      'button',
      {
        class: 'small off',
        'data-off': run.key,
        'aria-label': `Take ${run.label} off the list`,
        onclick: () => {
          const sure = `Delete the imported copy of ${run.label}? The files it was made of stay.`;
          if (!run.imported || window.confirm(sure)) listed('take_off', { run: run.key });
        },
      },
      run.imported ? 'Delete import' : 'Off the list',
    ),
  );
const shownAgain = (data) =>
  data.hidden > 0 &&
  h(
    'p',
    { class: 'small muted row' },
    `${plural(data.hidden, 'run')} taken off the list; the folders are as they were.`,
    h('button', { class: 'small', id: 's1-back', onclick: () => listed('bring_back', {}) }, 'Show again'),
  );
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
    if (!data.runs.length) return [empty('No runs yet', data.hint), shownAgain(data)];
    return [
      h(
        'div',
        { class: 'row spread' },
        h('div', { class: 'tight' }, h('h1', {}, 'Runs'), h('p', { class: 'muted' }, data.hint)),
        data.runs.length > 1 &&
          h(
            'div',
            { class: 'row' },
            a({ screen: 'table' }, { base: {}, class: 'button' }, 'As a table'),
            a({ screen: 'compare' }, { base: {}, class: 'button' }, 'Compare two'),
          ),
      ),
      h(
        'div',
        { class: 'picks' },
        data.runs.map((run) =>
          run.problem
            ? held(
                run,
                h(
                  'section',
                  { class: 'card pick' },
                  h('h2', {}, run.label),
                  h('p', { class: 'note small' }, run.problem),
                  h('p', { class: 'small muted' }, run.place),
                ),
              )
            : held(
                run,
                a(
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
      ),
      shownAgain(data),
    ];
  },
};
