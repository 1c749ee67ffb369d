// A selection as a file, a foreign file as a run.
const MAX_UPLOAD = 64 * 1024 * 1024;
const EXPORTS = [
  ['html', 'One HTML page', 'opens offline, nothing loaded, no script; up to 300 completions'],
  ['jsonl', 'JSONL', 'complete rows with their scenarios; can be imported again'],
  ['csv', 'CSV', 'a table for a spreadsheet'],
  ['parquet', 'Parquet', 'the same table for pandas and friends'],
];
function bytesOf(encoded) {
  const text = atob(encoded);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}
function saveFile(file) {
  const url = URL.createObjectURL(new Blob([bytesOf(file.content)], { type: file.kind }));
  const anchor = h('a', { href: url, download: file.name });
  root.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
async function download(kind, state, note) {
  note.textContent = 'preparing …';
  try {
    const file = await ask('export', { run: state.run, format: kind, sort: state.sort || '', ...filterOf(state) });
    saveFile(file);
    note.textContent =
      file.rows < file.total
        ? `${file.name}: the first ${count(file.rows)} of ${count(file.total)}`
        : `${file.name}: ${plural(file.rows, 'completion')}`;
  } catch (error) {
    note.textContent = error.message;
  }
}
const encodedFile = (file) =>
  new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result).replace(/^[^,]*,/, ''));
    reader.onerror = () => fail(new Error(`${file.name} cannot be read`));
    reader.readAsDataURL(file);
  });
async function upload(files, rewards, note) {
  if (!files.length) return;
  if (files.reduce((sum, file) => sum + file.size, 0) > MAX_UPLOAD) {
    note.textContent = 'Larger than 64 MB together: use  python -m socialr1_lite.viewer.importing FILE...';
    return;
  }
  note.textContent = files.length === 1 ? `reading ${files[0].name} …` : `reading ${count(files.length)} files …`;
  try {
    const contents = [];
    for (const file of files) contents.push(await encodedFile(file)); // one at a time: a folder may hold thousands
    const made = await ask('import_files', { names: files.map((file) => file.name), contents, rewards });
    catalogue = await ask('runs', {});
    visit(link({ run: made.run, screen: 'overview' }, {}));
  } catch (error) {
    note.textContent = error.message;
  }
}
screens.exchange = {
  anyRun: true,
  title: () => 'Import & export',
  load: (state) =>
    state.run
      ? ask('traces', { run: state.run, sort: '', ...filterOf(state) })
      : Promise.resolve({ total: null }),
  draw(data, state) {
    const saved = h('p', { class: 'small muted', role: 'status', id: 's1-saved' });
    const read = h('p', { class: 'small', role: 'status', id: 's1-read' });
    const picker = h('input', {
      type: 'file',
      multiple: true,
      accept: '.jsonl,.json,.parquet,.csv',
      'aria-label': 'Files to import',
      onchange: () => upload([...picker.files], rewards.value.trim(), read),
    });
    const rewards = h('input', { type: 'text', placeholder: 'accuracy,format*0.5' });
    return [
      h('h1', {}, 'Import & export'),
      h(
        'div',
        { class: 'panes' },
        h(
          'section',
          { class: 'card stack' },
          h('h2', {}, 'Export'),
          data.total === null
            ? h('p', { class: 'muted' }, 'Choose a run first.')
            : [
                h(
                  'p',
                  {},
                  `${plural(data.total, 'completion')} selected. `,
                  a({ screen: 'traces' }, { base: keep(FILTERS, 'sort') }, 'Change the selection'),
                ),
                activeChips(state),
                h(
                  'div',
                  { class: 'tight' },
                  EXPORTS.map(([kind, title, does]) =>
                    h(
                      'div',
                      { class: 'row' },
                      h(
                        'button',
                        { 'data-export': kind, disabled: !data.total, onclick: () => download(kind, state, saved) },
                        title,
                      ),
                      h('span', { class: 'small muted' }, does),
                    ),
                  ),
                ),
                saved,
              ],
        ),
        h(
          'section',
          { class: 'card stack' },
          h('h2', {}, 'Import'),
          h('p', {}, 'Files of completions (one, or one a step) become a run of their own in your cache folder.'),
          picker,
          h('label', { class: 'field' }, 'Columns whose sum is the reward (where that is asked)', rewards),
          read,
          h(
            'ul',
            { class: 'tight small muted' },
            [
              'TRL: completions_*.parquet (log_completions)',
              'verl: rollout JSONL (rollout_data_dir); ms-swift: completions.jsonl',
              'JSONL with story, question, options, gold, completion: scored on the way in',
              'JSONL exported here',
            ].map((x) => h('li', {}, `· ${x}`)),
          ),
        ),
      ),
    ];
  },
};
