// How the run goes: the figures that matter, what to look at first, and the curves.
function tile(item, base) {
  const inside = [
    h('span', { class: 'small muted' }, item.label),
    h('b', {}, item.value),
    h('span', { class: 'small muted' }, item.note),
  ];
  if (!item.filter) return h('div', { class: 'card tile' }, inside);
  return a({ screen: 'traces', ...item.filter }, { base: base || keep(), class: 'card tile' }, inside);
}
// The letters that are given, beside those that are right, and what guessing would get.
function letterTable(said, base) {
  if (!said.letters || !said.letters.length) return null;
  const bar = (share, tone) =>
    h('span', { class: 'bar' }, h('i', { style: { width: `${100 * share}%`, background: `var(--${tone})` } }));
  return h(
    'div',
    { class: 'tight' },
    said.words.map((line) => h('p', { class: 'small' }, line)),
    h(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Answers by letter' },
      h(
        'table',
        { class: 'grid still letters' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ['Letter', 'Given', 'Gold', 'Right when given'].map((title) => h('th', { scope: 'col' }, title)),
          ),
        ),
        h(
          'tbody',
          {},
          said.letters.map((row) =>
            h(
              'tr',
              {},
              h(
                'th',
                { scope: 'row' },
                a({ screen: 'traces', answer_min: row.answer, answer_max: row.answer }, { base }, row.letter),
              ),
              h(
                'td',
                {},
                bar(row.chosen, 'ink'),
                ` ${percent(row.chosen)}`,
                h('span', { class: 'small muted' }, ` ${count(row.n)}`),
              ),
              h('td', {}, bar(row.gold, 'right'), ` ${percent(row.gold)}`),
              h('td', { class: 'n' }, percent(row.right)),
            ),
          ),
        ),
      ),
    ),
  );
}
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
const answersCard = (data) =>
  data.answers.letters.length > 0 &&
  h(
    'details',
    { class: 'card', open: data.answers.alerts.length > 0 },
    h('summary', {}, 'Answers against chance, letter by letter'),
    letterTable(data.answers, { ...keep(), phase: 'train' }),
  );
screens.overview = {
  title: (state, data) => (data ? data.label : 'Overview'),
  load: (state) => ask('overview', { run: state.run }),
  chartOf: (spec) =>
    chart(spec, spec.still ? null : (x) => visit(link({ screen: 'traces', from: x, to: x }, keep()))),
  draw(data) {
    this.figures = new Map(data.charts.map((spec) => [spec.key, this.chartOf(spec)]));
    return [
      h(
        'div',
        { class: 'row spread' },
        h(
          'div',
          { class: 'tight' },
          h('h1', {}, data.label),
          h('p', { class: 'muted', id: 's1-subtitle' }, data.subtitle),
        ),
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
            h(
              'section',
              { class: 'tiles', 'aria-label': 'Figures', id: 's1-tiles' },
              data.tiles.map((one) => tile(one)),
            ),
            data.picks.length > 0 &&
              h(
                'section',
                { class: 'stack', 'aria-label': 'Where to look first' },
                h('h2', {}, 'Where to look first'),
                h('div', { class: 'picks', id: 's1-picks' }, data.picks.map(pick_)),
              ),
            h('div', { id: 's1-answers' }, answersCard(data)),
            h(
              'section',
              { class: 'stack', 'aria-label': 'Curves' },
              h(
                'div',
                { class: 'row spread' },
                h('h2', {}, 'Curves'),
                h('p', { class: 'small muted' }, 'Click a point for the completions of that step.'),
              ),
              h('div', { class: 'charts', id: 's1-charts' }, [...this.figures.values()]),
            ),
          ],
    ];
  },
  async live(now) {
    const drawn = here.data;
    if (now.stamp === drawn.stamp && now.status === drawn.status) return;
    const data = await ask('overview', { run: here.state.run });
    if (here.data !== drawn) return;
    if (Boolean(drawn.empty) !== Boolean(data.empty)) return void show({ quiet: true });
    here.data = data;
    const part = (id, name, draw) => {
      if (JSON.stringify(drawn[name]) !== JSON.stringify(data[name])) renew(root.querySelector(id), draw(data[name]));
    };
    part('#s1-subtitle', 'subtitle', (text) => text);
    part('#s1-alerts', 'alerts', (all) => all.map(alert_));
    part('#s1-tiles', 'tiles', (all) => all.map((one) => tile(one)));
    part('#s1-picks', 'picks', (all) => all.map(pick_));
    part('#s1-answers', 'answers', () => answersCard(data));
    this.renewCharts(drawn.charts, data.charts);
  },
  // A chart that has something to show for the first time takes its place among those that stay.
  renewCharts(before, charts) {
    const known = new Map(before.map((spec) => [spec.key, JSON.stringify(spec)]));
    const box = root.querySelector('#s1-charts');
    charts.forEach((spec, i) => {
      if (!this.figures.has(spec.key)) {
        this.figures.set(spec.key, this.chartOf(spec));
        box.insertBefore(this.figures.get(spec.key), box.children[i] || null);
      } else if (known.get(spec.key) !== JSON.stringify(spec)) this.figures.get(spec.key).update(spec);
    });
  },
};
// Draws a part anew; what the reader had opened, scrolled to and put the focus on stays.
function renew(node, kids) {
  if (!node) return;
  const all = (what) => [...node.querySelectorAll(what)];
  const inside = node.contains(document.activeElement) ? document.activeElement : null;
  const at = all(REACHED).indexOf(inside);
  const href = inside && inside.getAttribute('href');
  const [open, left] = [all('details').map((one) => one.open), all('.scroll').map((one) => one.scrollLeft)];
  put_(node, [kids]);
  all('details').forEach((one, i) => i in open && (one.open = open[i]));
  all('.scroll').forEach((one, i) => i in left && (one.scrollLeft = left[i]));
  if (!inside) return;
  const fresh = all(REACHED);
  (fresh.find((one) => href && one.getAttribute('href') === href) || fresh[at] || main).focus({ preventScroll: true });
}
const REACHED = 'a, button, summary, [tabindex]';
