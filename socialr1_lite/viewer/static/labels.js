// People judge: marks on the stages of a completion, the better of two siblings, and the judge against them.
const MARKS = [
  ['good', 'y', '✓'],
  ['partly', 'p', '~'],
  ['bad', 'n', '✗'],
];
function readerName() {
  try {
    return localStorage.getItem('s1-reader') || 'me';
  } catch {
    return 'me';
  }
}
function readerField() {
  return h(
    'label',
    { class: 'row small muted' },
    'You are',
    h('input', {
      value: readerName(),
      'aria-label': 'Your name as a reader',
      maxlength: 40,
      style: { width: '130px' },
      onchange: (e) => {
        try {
          localStorage.setItem('s1-reader', e.target.value.trim());
        } catch {
          /* a private window: the name lasts as long as the page */
        }
        show();
      },
    }),
  );
}
function turnLabel() {
  go({ label: here.state.label ? null : 1, blind: null, raw: null }, { replace: true });
}
// What is said goes to the server one after the other, in the order in which it was said.
let saving = Promise.resolve();
const inTurn = (act) => (saving = saving.then(act).catch((error) => toast(error.message)));
// The marks of one stage: three buttons and a note.
function markRow(stage, marking) {
  const now = (mark) => ((marking.labels[stage] || '') === mark ? 'true' : 'false');
  return h(
    'div',
    { class: 'marks row', role: 'group', 'aria-label': `Your mark: ${TITLES[stage]}` },
    MARKS.map(([mark, key, sign]) =>
      h(
        'button',
        {
          class: `mark ${mark}`,
          'data-mark': mark,
          title: `${mark} (${key})`,
          'aria-pressed': now(mark),
          onclick: () => saveMark(stage, () => ({ mark: now(mark) === 'true' ? '' : mark })),
        },
        `${sign} ${mark}`,
      ),
    ),
    h('input', {
      class: 'grow',
      'data-note': stage,
      value: marking.notes[stage] || '',
      maxlength: 2000,
      placeholder: 'why (i)',
      'aria-label': `Note: ${TITLES[stage]}`,
      onchange: (e) => saveMark(stage, () => ({ note: e.target.value })),
    }),
  );
}
// said() tells what changes, a mark or a note, when its turn has come; what it does not tell stays as it is.
function saveMark(stage, said) {
  const drawn = here.data;
  const of = { run: here.state.run, trace: drawn.id, stage, reader: readerName(), blind: here.state.blind || '' };
  return inTurn(async () => {
    const [new_, { labels, notes }] = [said(), drawn.marks];
    const was = 'mark' in new_ ? { was: labels[stage] || '' } : { note_was: notes[stage] || '' };
    const known = await ask('label', { ...of, ...new_, ...was });
    Object.assign(drawn.marks, { labels: known.labels, notes: known.notes, next: known.next });
    if (here.data !== drawn) return;
    tellCrossed(stage, known.crossed);
    for (const button of root.querySelectorAll(`#stage-${stage} [data-mark]`))
      button.setAttribute('aria-pressed', button.dataset.mark === known.labels[stage] ? 'true' : 'false');
    if (!known.crossed) spoken.textContent = `${TITLES[stage]}: ${known.labels[stage] || 'no mark'}, saved`;
    const done = root.querySelector('#s1-marked');
    if (done) done.textContent = markedWords(drawn.marks);
  });
}
// Another viewer was faster: what it said stands here, until the next save of this stage.
function tellCrossed(stage, words) {
  const row = root.querySelector(`#stage-${stage} .marks`);
  if (!row) return;
  const old = row.querySelector('[data-crossed]');
  if (old) old.remove();
  if (words) row.append(h('p', { class: 'note small', role: 'alert', 'data-crossed': '' }, words));
}
const markedWords = (marking) => `${Object.keys(marking.labels).length} of 4 marked`;
const markable = () => here.data && here.data.marks && !here.data.failure && !here.state.raw;
// The stage that a key marks: the one with the focus, else the first without a mark.
function stageHere() {
  const card = document.activeElement && document.activeElement.closest('.stage');
  if (card) return STAGES.find((stage) => card.id === `stage-${stage}`);
  return STAGES.find((stage) => !here.data.marks.labels[stage]) || STAGES[0];
}
// A key goes on to the next stage at once: whoever is quick marks the next one, saved or not.
function markHere(mark) {
  if (!markable()) return;
  const stage = stageHere();
  saveMark(stage, () => ({ mark }));
  const at = STAGES.indexOf(stage);
  if (at < STAGES.length - 1) jump(at + 1);
}
// Which is next is known when everything said so far is saved.
async function nextHere() {
  const drawn = here.data;
  if (!drawn || !drawn.marks) return;
  await saving;
  if (here.data === drawn) toTrace(drawn.marks.next);
}
function noteHere() {
  if (!markable()) return;
  const box = root.querySelector(`[data-note=${stageHere()}]`);
  if (box) box.focus();
}
function toPair(other) {
  const data = here.data;
  const at = data.siblings.findIndex((one) => one.id === data.id);
  const to = other || (data.siblings[(at + 1) % data.siblings.length] || {}).id;
  if (to && to !== data.id) visit(link({ screen: 'pair', trace: data.id, other: to }, keep(VIEW)));
}
function markBar(data, state) {
  return h(
    'section',
    { class: 'card row spread small', 'aria-label': 'Labelling' },
    h(
      'span',
      { class: 'row' },
      h('b', { id: 's1-marked' }, markedWords(data.marks)),
      h('span', { class: 'muted' }, 'y good · p partly · n bad · 1 to 4 choose a stage · i a note'),
    ),
    h(
      'span',
      { class: 'row' },
      readerField(),
      h(
        'button',
        {
          'aria-pressed': state.blind ? 'true' : 'false',
          title: 'Hide what it earned (b)',
          onclick: () => go({ blind: state.blind ? null : 1 }, { replace: true }),
        },
        'Blind',
      ),
      data.siblings.length > 1 && h('button', { title: 'Two siblings (v)', onclick: () => toPair() }, 'Better of two'),
      h(
        'button',
        { disabled: !data.marks.next, title: 'Next to label (.)', onclick: nextHere },
        'Next to label →',
      ),
    ),
  );
}

const marksOf = (state, data) =>
  saving.then(() => ask('marks', { run: state.run, trace: data.id, reader: readerName() }));

// Two siblings side by side, without what they earned: which is better, as a whole or in one stage?
const SIDES = ['one', 'two'];
const preferredIn = (data, stage) =>
  data.preferred.find(
    (one) => one.stage === stage && [data.one.id, data.two.id].every((id) => id === one.better || id === one.worse),
  );
screens.pair = {
  title: () => 'Better of two',
  async load(state) {
    const data = await ask('group', { run: state.run, trace: state.trace || '' });
    const marking = await marksOf(state, data);
    const one = data.members.find((member) => member.id === data.id);
    const two = data.members.find((member) => member.id === state.other) || data.members.find((m) => m !== one);
    return { ...data, one, two, preferred: marking.preferred };
  },
  draw(data, state) {
    if (!data.two) return [h('h1', {}, 'Better of two'), empty('This completion has no sibling')];
    const said = (stage) => preferredIn(data, stage);
    const choice = (side, stage) => {
      const on = (said(stage) || {}).better === data[side].id;
      return h(
        'button',
        {
          'aria-pressed': on ? 'true' : 'false',
          'data-better': `${side} ${stage}`,
          onclick: () => preferHere(on ? '' : data[side].id, stage),
        },
        stage ? 'better here' : side === 'one' ? '← The left is better' : 'The right is better →',
      );
    };
    return [
      h(
        'div',
        { class: 'crumbs' },
        h('h1', {}, 'Better of two'),
        h('span', { class: 'muted' }, `#${data.one.index} and #${data.two.index} of group ${data.group}`),
        h('span', { class: 'grow' }),
        readerField(),
        h('button', { title: 'Another sibling (.)', onclick: nextPair }, 'Another sibling'),
        a({ screen: 'trace', trace: data.id }, { base: keep(VIEW), class: 'button' }, 'Stage view'),
      ),
      questionCard(data),
      h('h2', { class: 'visually-hidden' }, 'Stage by stage'),
      h(
        'div',
        { class: 'pairing' },
        SIDES.map((side) => h('div', {}, choice(side, ''))),
        STAGES.map((stage, i) =>
          SIDES.map((side) =>
            h(
              'section',
              { class: `card stage tight ${stage}`, style: { '--hue': `var(--${stage})` }, 'data-side': side },
              h('header', {}, glyph(stage, data[side].states[stage], false), h('h3', {}, TITLES[stage])),
              h('div', { class: 'prose sm' }, saidAs(data[side].texts[i]) || h('span', { class: 'muted' }, '–')),
              data.one.texts[i] === data.two.texts[i]
                ? h('p', { class: 'small muted' }, 'word for word the same')
                : data[side].texts[i] && h('div', {}, choice(side, stage)),
            ),
          ),
        ),
        SIDES.map((side) => h('section', { class: 'card' }, h('b', {}, 'Answer '), data[side].answer || '–')),
      ),
    ];
  },
  keys: {
    ArrowLeft: () => preferHere(here.data.one.id, ''),
    ArrowRight: () => preferHere(here.data.two && here.data.two.id, ''),
    '.': () => nextPair(),
    u: () => visit(link({ screen: 'trace', trace: here.data.id }, keep(VIEW))),
  },
};
function preferHere(better, stage) {
  const { one, two } = here.data;
  if (!two) return;
  const was = (preferredIn(here.data, stage) || {}).better || '';
  const said = { run: here.state.run, one: one.id, two: two.id, better, was, stage, reader: readerName() };
  inTurn(async () => {
    const known = await ask('prefer', said);
    if (known.crossed) toast(known.crossed);
  }).then(() => show({ quiet: true }));
}
function nextPair() {
  const { members, one, two } = here.data;
  const others = members.filter((member) => member !== one);
  const next = others[(others.indexOf(two) + 1) % others.length];
  if (next) go({ other: next.id }, { replace: true });
}

// The judge against the people, the disagreements first.
const agreementTable = (data) =>
  table(
    ['ordered alike', 'judge where good', 'partly', 'bad'],
    data.stages.map((row) => [
      h('span', { class: 'row' }, glyph(row.stage, 'present', false), TITLES[row.stage]),
      [
        h('td', {}, row.auc === null ? '–' : percent(row.auc)),
        row.means.map((mean, i) =>
          h('td', {}, mean === null ? '–' : fixed(mean), h('span', { class: 'small muted' }, ` n ${count(row.n[i])}`)),
        ),
      ],
    ]),
  );
async function downloadLabels(kind, note) {
  note.textContent = 'preparing …';
  try {
    const file = await ask('export_labels', { run: here.state.run, format: kind });
    saveFile(file);
    note.textContent = `${file.name}: ${plural(file.rows, 'row')}`;
  } catch (error) {
    note.textContent = error.message;
  }
}
screens.labels = {
  title: () => 'Labels',
  load: (state) => saving.then(() => ask('labels', { run: state.run, judge: state.judge || '', reader: readerName() })),
  draw(data, state) {
    const note = h('p', { class: 'small muted', role: 'status', id: 's1-labels-saved' });
    const begin = data.next
      ? a({ screen: 'trace', trace: data.next, label: 1, blind: 1 }, { class: 'button' }, 'Label the next, blind')
      : h(
          'span',
          { class: 'muted small' },
          data.drawn
            ? 'Everything drawn for labelling has a mark of yours.'
            : 'There is nothing to label yet: no completion of training.',
        );
    const judges = select(
      data.judges.map((name) => [name, name]),
      data.judge,
      (judge) => go({ judge }),
    );
    judges.setAttribute('aria-label', 'Judge');
    return [
      h(
        'div',
        { class: 'row spread' },
        h(
          'div',
          { class: 'tight' },
          h('h1', {}, 'Labels'),
          h(
            'p',
            { class: 'muted' },
            'What people say of the stages, and whether the judge that pays for them says the same.',
          ),
        ),
        h('div', { class: 'row' }, readerField(), begin),
      ),
      h(
        'section',
        { class: 'tiles', 'aria-label': 'Figures' },
        data.tiles.map((one) => tile(one)),
      ),
      data.gone > 0 &&
        h('p', { class: 'note plain-note small' }, `${plural(data.gone, 'label')} of completions not found here.`),
      data.judges.length > 0
        ? [
            h(
              'div',
              { class: 'panes' },
              h(
                'section',
                { class: 'card tight' },
                h('div', { class: 'row spread' }, h('h2', {}, 'Judge against people'), judges),
                agreementTable(data),
                h(
                  'p',
                  { class: 'small muted' },
                  'Ordered alike: how often the judge gives a good stage more than a bad one; 50 % is chance.',
                ),
              ),
              h(
                'section',
                { class: 'card tight' },
                h('h2', {}, 'Pairs'),
                data.pairs.length
                  ? forest(
                      data.pairs.map((one) => [one.kind, one, 'cue_encoding']),
                      { mark: 0.5 },
                      'judge against people by pairs',
                    )
                  : h('p', { class: 'muted small' }, 'None yet: mark siblings apart, or the better of two.'),
                h('p', { class: 'small muted' }, 'How often the judge prefers what people prefer; intervals by story.'),
              ),
            ),
            disagreementTable(data),
          ]
        : empty(
            'Nothing labelled yet',
            'Open a completion, press m, and mark its stages with y, p and n.',
            'Completions are drawn at random: marks on what looked odd would say nothing of the rest.',
          ),
      h(
        'section',
        { class: 'card tight' },
        h('h2', {}, 'Take them along'),
        h('p', { class: 'small muted' }, 'Your marks are kept in ', h('code', { class: 'mono' }, data.file)),
        h(
          'div',
          { class: 'row' },
          h('button', { onclick: () => downloadLabels('labels', note) }, 'Labels (JSONL)'),
          h('button', { onclick: () => downloadLabels('pairs', note) }, 'Pairs for a reward model'),
        ),
        note,
      ),
    ];
  },
};
const disagreementTable = (data) =>
  h(
    'section',
    { class: 'card tight' },
    h('h2', {}, 'Where they lie furthest apart'),
    h(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Disagreements' },
      h(
        'table',
        { class: 'grid still' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ['Stage', 'People', 'Judge', 'By', 'Note', 'Reply'].map((title) => h('th', { scope: 'col' }, title)),
          ),
        ),
        h(
          'tbody',
          {},
          data.disagreements.map((row) =>
            h(
              'tr',
              {},
              h('td', { class: 'nowrap' }, glyph(row.stage, 'present', false), ` ${TITLES[row.stage]}`),
              h('td', {}, row.human),
              h('td', { class: 'n' }, fixed(row.judge)),
              h('td', {}, row.by),
              h('td', {}, row.note),
              h(
                'td',
                { class: 'wide' },
                a({ screen: 'trace', trace: row.id, label: 1 }, { class: 'peek' }, row.peek || '(empty)'),
              ),
            ),
          ),
        ),
      ),
    ),
  );
