// The laptop's own page: where the mailbox and the intake are, and what lies in dead letters.

/** Text that is safe inside HTML and XML, also in an attribute. */
export function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

export interface PageView {
  mailbox: { url: string; count: number };
  outputs: Record<string, string>;
  deadLetters: { queue: string; body: string; attributes: Record<string, string> }[];
  now: number;
}

const MOST_DEAD_LETTERS = 50;
const MOST_CHARACTERS = 2000;

/** The page as HTML; everything that came from outside is escaped, nothing on it runs. */
export function renderPage({ mailbox, outputs, deadLetters, now }: PageView): string {
  const intake = outputs.EventsUrl;
  const letters = deadLetters.slice(-MOST_DEAD_LETTERS).map(({ queue, body, attributes }) => {
    const notes = Object.entries(attributes).map(([name, value]) => `${name}: ${value}`);
    const text = body.length > MOST_CHARACTERS ? `${body.slice(0, MOST_CHARACTERS)}…` : body;
    return `<li><b>${escapeText(queue)}</b> ${escapeText(notes.join(' · '))}<pre tabindex="0">${escapeText(text)}</pre></li>`;
  });
  const more = deadLetters.length - letters.length;
  const rows = Object.entries(outputs).map(
    ([name, value]) => `<tr><th scope="row">${escapeText(name)}</th><td><code>${escapeText(value)}</code></td></tr>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Kairos on this laptop</title>
<style>
:root{color-scheme:light dark;--ink:#1d2330;--paper:#fbfbfd;--soft:#eceff4;--link:#0b57b0}
@media (prefers-color-scheme:dark){:root{--ink:#e7eaf0;--paper:#14171d;--soft:#232833;--link:#8ab8ff}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}
a{color:var(--link)}pre,code{background:var(--soft);border-radius:4px;padding:.1em .3em;overflow-wrap:anywhere}
pre{white-space:pre-wrap;padding:.6rem;max-height:16rem;overflow:auto}
table{border-collapse:collapse}th{text-align:left;font-weight:600;padding-right:1rem;vertical-align:top}
ul{padding-left:1.2rem}
</style></head><body><main>
<h1>Kairos on this laptop</h1>
<p>The stack of the CloudFormation template runs here, for trying and testing. Its clock says
<time datetime="${new Date(now).toISOString()}">${new Date(now).toISOString()}</time>.</p>
<h2>Mailbox</h2>
<p><a href="${escapeText(mailbox.url)}">${mailbox.count} ${mailbox.count === 1 ? 'e-mail' : 'e-mails'}</a></p>
<h2>Event intake</h2>
<p>${intake === undefined ? 'This stack has no event intake.' : `<code>POST ${escapeText(intake)}</code>`}</p>
<h2>Dead letters</h2>
${letters.length === 0 ? '<p>None.</p>' : `<p>${deadLetters.length} in all${more > 0 ? `; the newest ${letters.length} of them` : ''}.</p><ul>${letters.join('')}</ul>`}
<h2>Outputs</h2>
<table>${rows.join('')}</table>
</main></body></html>
`;
}
