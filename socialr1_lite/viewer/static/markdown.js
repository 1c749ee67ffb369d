// Markdown of a reply, where the reader wants it: a line at a time, into nodes made here and text nodes alone.
// No HTML, link or image is ever made of it: what is written as one stays the text it is. Marks are on plain text.
const MARKDOWN = 's1-markdown';
let markdownHere = false; // a private window: the choice lasts as long as the page
function markdownOn() {
  try {
    return (localStorage.getItem(MARKDOWN) || (markdownHere ? '1' : '')) === '1';
  } catch {
    return markdownHere;
  }
}
function turnMarkdown() {
  markdownHere = !markdownOn();
  try {
    localStorage.setItem(MARKDOWN, markdownHere ? '1' : '0');
  } catch {
    /* remembered above */
  }
  show({ quiet: true });
}
const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|__([^_]+)__|\*([^*\s][^*]*)\*/g;
function inlineOf(line) {
  const parts = [];
  let at = 0;
  for (const found of line.matchAll(INLINE)) {
    const [whole, code, strong, under, weak] = found;
    parts.push(line.slice(at, found.index));
    if (code) parts.push(h('code', { class: 'mono' }, code));
    else if (strong || under) parts.push(h('b', {}, strong || under));
    else parts.push(h('i', {}, weak));
    at = found.index + whole.length;
  }
  return [parts, line.slice(at)];
}
const MOST_INDENT = 6; // levels: what is nested deeper stands no further to the right
function lineOf(line) {
  const body = line.trimStart();
  const indent = Math.min(MOST_INDENT, Math.floor((line.length - body.length) / 2));
  const head = /^#{1,6}\s+(?=\S)/.exec(body);
  if (head) return h('div', { class: 'md-head' }, inlineOf(body.slice(head[0].length)));
  const item = /^(?:[-*+]|\d{1,4}[.)])\s+(?=\S)/.exec(body);
  if (item) {
    const sign = /^\d/.test(body) ? item[0].trim() : '•';
    const inner = { class: 'md-item', style: { 'margin-inline-start': `${indent}em` } };
    return h('div', inner, h('span', {}, sign), h('span', {}, inlineOf(body.slice(item[0].length))));
  }
  if (/^>\s?/.test(body)) return h('div', { class: 'md-quote' }, inlineOf(body.replace(/^>\s?/, '')));
  return h('div', {}, inlineOf(line), '\n');
}
function markdown(text) {
  const made = [];
  let code = null;
  for (const line of text.split('\n')) {
    if (line.trimStart().startsWith('```')) {
      if (code) made.push(h('pre', { class: 'raw' }, code.join('\n')));
      code = code ? null : [];
    } else if (code) code.push(line);
    else made.push(lineOf(line));
  }
  if (code) made.push(h('pre', { class: 'raw' }, code.join('\n'))); // cut off within the block
  return h('div', { class: 'md' }, made);
}
const markdownButton = () =>
  h(
    'button',
    {
      'aria-pressed': markdownOn() ? 'true' : 'false',
      title: 'Headings, lists, bold and code of the replies; the marks in the text are on plain text',
      onclick: turnMarkdown,
    },
    'Markdown',
  );
// A text of a reply, the way the reader wants it.
const saidAs = (text) => (text && markdownOn() ? markdown(text) : text);
