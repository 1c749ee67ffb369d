// How the run goes: the figures that matter, what to look at first, and the curves.
const tile = (item) =>
  h(
    'div',
    { class: 'card tile' },
    h('span', { class: 'small muted' }, item.label),
    h('b', {}, item.value),
    h('span', { class: 'small muted' }, item.note),
  );
const alert_ = (item) =>
  h('p', { class: 'note' }, item.text, ' ', item.filter && a({ screen: 'traces', ...item.filter }, {}, 'See them'));
const pick_ = (item) =>
  a(
    { screen: 'trace', trace: item.id, ...item.filter },
    { class: 'card pick' },
    h('div', { class: 'row spread' }, h('h3', {}, item.title), lights(item.stages)),
    h('p', { class: 'small muted' }, item.why),
    h('p', { class: 'prose sm' }, item.peek),
    h(
      'div',
      { class: 'row small' },
      outcomeChip(item.outcome),
      h('span', { class: 'num muted' }, `reward ${fixed(item.total)}`),
      h('span', { class: 'muted' }, `step ${item.step}`),
    ),
  );
screens.overview = {
  title: (state, data) => (data ? data.label : 'Overview'),
  load: (state) => ask('overview', { run: state.run }),
  draw(data, state) {
    const open = (x) => visit(link({ screen: 'traces', from: x, to: x }, keep()));
    this.figures = new Map(data.charts.map((spec) => [spec.key, chart(spec, spec.still ? null : open)]));
    return [
      h(
        'div',
        { class: 'row spread' },
        h('div', { class: 'tight' }, h('h1', {}, data.label), h('p', { class: 'muted' }, data.subtitle)),
        data.facts.length > 0 &&
          h(
            'div',
            { class: 'chips' },
            data.facts.map((fact) => h('span', { class: 'chip' }, fact)),
          ),
      ),
      h('div', { id: 's1-alerts', class: 'tight' }, data.alerts.map(alert_)),
      data.empty
        ? empty('Nothing written yet', data.empty)
        : [
            h('section', { class: 'tiles', 'aria-label': 'Figures', id: 's1-tiles' }, data.tiles.map(tile)),
            data.picks.length > 0 &&
              h(
                'section',
                { class: 'stack', 'aria-label': 'Where to look first' },
                h('h2', {}, 'Where to look first'),
                h('div', { class: 'picks' }, data.picks.map(pick_)),
              ),
            h(
              'section',
              { class: 'stack', 'aria-label': 'Curves' },
              h(
                'div',
                { class: 'row spread' },
                h('h2', {}, 'Curves'),
                h('p', { class: 'small muted' }, 'Click a point for the completions of that step.'),
              ),
              h('div', { class: 'charts' }, [...this.figures.values()]),
            ),
          ],
    ];
  },
  async live(now) {
    const drawn = here.data;
    if (now.stamp === drawn.stamp) return;
    const data = await ask('overview', { run: here.state.run });
    if (here.data !== drawn) return;
    here.data = data;
    const tiles = root.querySelector('#s1-tiles');
    if (!tiles || data.charts.some((spec) => !this.figures.has(spec.key))) {
      show({ quiet: true });
      return;
    }
    tiles.replaceChildren(...data.tiles.map(tile));
    root.querySelector('#s1-alerts').replaceChildren(...data.alerts.map(alert_));
    for (const spec of data.charts) this.figures.get(spec.key).update(spec);
  },
};
