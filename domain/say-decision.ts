// A decision in words: what was done, why, and what made the contact be looked at.
import type { Campaign } from './campaign-grammar.ts';
import type { Cause, LastDecision } from './contact.ts';
import { sayPlace, stepAt } from './say-campaign.ts';

const REASONS: Record<string, string> = {
  'no consent': 'no consent to its topic',
  'no address': 'no address is known',
  unless: 'its “unless” applied',
  needs: 'it would have come out thin (“needs”)',
  expired: 'it would have come too late (“expires”)',
  stopIf: '“stopIf” applied',
  'not live': 'the campaign was not live',
  'already running': 'a run was under way already',
  'frequency-cap': 'frequency cap',
  'caps or quiet hours': 'caps or quiet hours',
  merged: 'the person was merged, and the other contact’s run goes on',
};

/**
 * Why something was passed over, dropped or stopped, in words. `winner`: whose message came first under a cap, `own` the
 * campaign that is spoken of.
 */
export function sayReason(reason: string, winner?: string, own?: string): string {
  const [, capped] = /^frequency-cap: (.+)$/.exec(reason) ?? [];
  if (capped !== undefined) return `frequency cap, ${capped}`;
  if (reason.startsWith('again: ')) return `it had entered before (“again”: ${reason.slice('again: '.length)})`;
  const said =
    (Object.hasOwn(REASONS, reason) ? REASONS[reason] : undefined) ?? reason.replaceAll(/"([^"]*)"/g, '“$1”');
  return winner === undefined ? said : `${said}, ${winner === own ? 'a message of its own' : winner} came first`;
}

/** What was decided, in words, of the campaign `own`: "planned cart-1 (step 2)", "passed over: no consent to its topic". */
export function sayDecision(decision: LastDecision, campaign: Campaign | undefined, own?: string): string {
  const { kind, reason, step, winner } = decision;
  const said = step === undefined || campaign === undefined ? undefined : stepAt(campaign, step);
  const email = said !== undefined && 'send' in said ? said.send : undefined;
  const place = step === undefined ? '' : ` (${sayPlace(step)})`;
  switch (kind) {
    case 'send':
      return `planned ${email ?? reason}${place}`;
    case 'defer':
      return `planned ${email ?? 'a message'} for later${place}: ${sayReason(reason)}`;
    case 'hold out':
      if (step === undefined) return `held out by ${reason}`;
      return email === undefined ? `held out${place}: ${sayReason(reason)}` : `held out: ${email} is not sent${place}`;
    case 'skip':
      return email === undefined
        ? `passed over${place}: ${sayReason(reason, winner, own)}`
        : `did not send ${email}${place}: ${sayReason(reason, winner, own)}`;
    case 'start':
      return `a run began: ${reason}`;
    case 'stop':
      return `the run stopped${place}: ${sayReason(reason)}`;
    case 'end':
      return `the run ended: ${reason}`;
    case 'set':
      return `set ${reason}${place}`;
    case 'notify':
      return `told others “${reason}”${place}`;
    case 'rest':
      return `${sayReason(reason)}${place}`;
    default:
      return kind satisfies never;
  }
}

/** What made the contact be looked at, in words; instants are told by `when`. */
export function sayCause({ kind, name, id, at }: Cause, when: (at: number) => string): string {
  const known = id === undefined ? '' : ` (${id})`;
  const of = at === undefined ? '' : ` of ${when(at)}`;
  switch (kind) {
    case 'event':
      return `${name ?? 'an event'}${known}${of}`;
    case 'product':
      return `the product ${name ?? ''} turned${known}${at === undefined ? '' : `, ${when(at)}`}`;
    case 'broadcast':
      return name === undefined
        ? 'a walk over all contacts'
        : `the walk for ${name.replace('inside|', 'those inside ')}`;
    case 'publish':
      return 'a publish';
    case 'models':
      return 'what is predicted was computed anew';
    case 'clock':
      return 'its time had come';
    default:
      return kind satisfies never;
  }
}
