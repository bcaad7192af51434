// What starts a campaign and what its steps do, in words.
import { type Step, startingEvents, type Wait, type When } from './campaign-grammar.ts';
import { sayClause } from './say-rule.ts';

const list = (value: unknown): string => [value].flat().map(String).join(' or ');

/** What starts a campaign: "enters vip", "3d before birthday, at 09:00". */
export function sayWhen(when: When): string {
  if ('did' in when) return startingEvents(when).join(' or ');
  if ('enters' in when) return `enters ${when.enters}`;
  if ('leaves' in when) return `leaves ${when.leaves}`;
  if ('changes' in when) {
    const from = when.from === undefined ? '' : ` from ${list(when.from)}`;
    return `${when.changes} changes${from}${when.to === undefined ? '' : ` to ${list(when.to)}`}`;
  }
  if ('date' in when) {
    const before = when.before === undefined ? `on ${when.date}` : `${when.before} before ${when.date}`;
    return `${before}, at ${when.at ?? '09:00'}`;
  }
  if ('due' in when)
    return when.before === undefined ? 'what was bought runs out' : `${when.before} before what was bought runs out`;
  if ('product' in when) return `${when.product}, of a product with ${list(when.watchedBy.did)}`;
  const clock = when.clock === 'contact' ? 'where the contact lives' : 'by the clock of the shop';
  return 'at' in when ? `at ${when.at}, ${clock}` : `every ${when.every}, ${clock}`;
}

function sayWait(wait: Wait): string {
  if (typeof wait !== 'string') return `waits until ${wait.until}`;
  return wait.startsWith('@') ? 'waits as long as the product lasts' : `waits ${wait}`;
}

/** What one step does. */
export function sayStep(step: Step): string {
  if ('wait' in step) return sayWait(step.wait);
  if ('send' in step) return `sends ${step.send}`;
  if ('waitFor' in step) return `waits up to ${step.upTo} until: ${sayClause(step.waitFor)}`;
  if ('if' in step) return `asks: ${sayClause(step.if)}`;
  if ('split' in step) {
    return `draws: ${Object.entries(step.split)
      .map(([name, weight]) => `${name} ${weight} %`)
      .join(', ')}`;
  }
  if ('set' in step) return `sets ${Object.keys(step.set).join(', ')}`;
  if ('notify' in step) return `tells others: ${step.notify}`;
  if ('rest' in step) return `lets ${step.rest} rest: ${step.why}`;
  return `stops: ${step.stop}`;
}
