// What `kairos why` says, in lines: campaigns with their last decision, messages and what led to them, skips, runs.
import type { Clause } from '../domain/explain.ts';
import { formatMoney } from '../domain/money.ts';
import type { Origin } from '../domain/recommend.ts';
import { sayPlace } from '../domain/say-campaign.ts';
import { sayCause, sayReason } from '../domain/say-decision.ts';
import { sayBoth } from '../domain/say-found.ts';
import { sayPast } from '../domain/say-rule.ts';
import { sayStandingPlace } from '../domain/say-run.ts';
import { sayDrawn, sayHeldOut } from './assignment.ts';
import { type Paper, page } from './page.ts';
import { count } from './validate.ts';
import type { Why, WhyCampaign, WhyMessage } from './why.ts';

function lostTo(winner: string | undefined, own: string): string {
  if (winner === undefined) return '';
  return winner === own ? ', after a message of its own' : `, lost to ${winner}`;
}

const ORIGINS_SAID: Record<Origin, string> = {
  relation: 'the catalogue',
  together: 'bought together',
  after: 'bought after',
  'moved-on': 'moved on to',
  popular: 'popular',
};

/** The answer in lines. */
export function drawWhy(why: Why, paper: Paper, currency: string): string[] {
  const { lines, tone, dim, put, tree } = page(paper, why.zone);
  const when = (at: number): string => sayBoth(at, why.zone, why.shopZone);

  const ruled = (name: string, clause: Clause | { words: string; needsRun: true } | undefined, depth: number): void => {
    if (clause === undefined) return;
    const indent = '  '.repeat(depth);
    if ('needsRun' in clause) put(`${name}: ${clause.words} (asks about the run)`, indent);
    else {
      lines.push(`${indent}${dim(name)}`);
      tree(clause, depth + 1);
    }
  };

  const message = (one: WhyMessage): void => {
    const ghost = one.heldOut !== undefined;
    const state = ghost
      ? tone('yellow', `${sayHeldOut(one.heldOut as 'campaign' | 'global')}: nothing was sent`)
      : `${one.state}${one.reason === undefined ? '' : ` (${sayReason(one.reason)})`}`;
    const at = ghost || one.sentAt === undefined ? `planned for ${when(one.plannedAt)}` : `sent ${when(one.sentAt)}`;
    const elsewhere = one.contact === why.contact ? '' : ` --contact ${one.contact}`;
    put(
      `${tone('bold', one.email)} (${sayPlace(one.step)})  ${state === 'sent' && at.startsWith('sent ') ? at : `${state}, ${at}`}  ${dim(`${one.id}${elsewhere}`)}`,
      '  ',
      undefined,
      '  ',
    );
    const begun = `${one.trigger.name} of ${when(one.trigger.at)}`;
    const about = one.product === undefined ? '' : `, about ${one.product}`;
    if (one.because === undefined) put(`in a run that began with ${begun}${about}`, '    ', undefined, '  ');
    else {
      const { cause, ordinal, book, models, began } = one.because;
      const direct = cause.kind === 'event' && cause.name === one.trigger.name && cause.at === one.trigger.at;
      const known = began === undefined ? '' : ` (${began})`;
      const because = direct
        ? sayCause(cause, when)
        : `${sayCause(cause, when)}, in a run that began with ${one.trigger.name}${known} of ${when(one.trigger.at)}`;
      put(`because: ${because}${about}`, '    ', undefined, '  ');
      const over = models === undefined ? '' : ` over models ${models}`;
      const by = `book ${ordinal} (${book.slice(0, 12)})${over}, version ${one.version}`;
      put(`decided ${when(one.decidedAt)} by ${by}`, '    ', dim, '  ');
      ruled('to', one.audience?.to, 2);
      ruled('for', one.audience?.for, 2);
      if (one.audience !== undefined && one.audience.missing > 0)
        put(`and ${count(one.audience.missing, 'further clause')}, of which the answer is not kept`, '    ', dim);
      if (one.audience === undefined && one.because.clauses !== undefined)
        put('Its book is not to be had any more: the clauses cannot be told in words.', '    ', dim);
    }
    if (one.variant !== undefined) {
      const { name, how, number } = one.variant;
      const drawn = how === 'winner' ? 'the winner of its test' : `${how}, drew ${sayDrawn(number)}`;
      put(`variant ${name}: ${drawn}`, '    ');
    }
    const counted = one.recommended?.filter(({ origin }) => origin !== undefined && origin !== 'relation') ?? [];
    if (one.recommended !== undefined && counted.length > 0) {
      const chosen = one.recommended.map(({ product, origin }) =>
        origin === undefined ? product : `${product} (${ORIGINS_SAID[origin]})`,
      );
      put(`to recommend: ${chosen.join(', ')}`, '    ', dim, '  ');
    }
    if (one.coupon !== undefined) {
      const { pool, code } = one.coupon;
      put(`a code of ${pool}${code === undefined ? '' : `: ${code}`}`, '    ');
    }
    if (one.conversion !== undefined) {
      const { event, at: then, order, value } = one.conversion;
      const known = [
        ...(order === undefined ? [] : [`order ${order}`]),
        ...(value === undefined ? [] : [formatMoney(value, currency, 'en')]),
      ].join(', ');
      put(
        tone('green', `success: ${sayPast({ did: event })}, ${when(then)}${known === '' ? '' : ` (${known})`}`),
        '    ',
      );
    }
  };

  const campaign = (one: WhyCampaign): void => {
    lines.push('', `${tone('bold', one.id)}${one.title === undefined ? '' : `  ${one.title}`}`);
    if (one.paused) lines.push(tone('yellow', '  paused at present'));
    if (one.standing !== 'published') put(`not in the published book any more (${one.standing})`, '  ', dim);
    if (one.last !== undefined) {
      const { words, at, cause, version } = one.last;
      const newer = version === undefined || version === one.version ? '' : `, which is not the present one`;
      put(
        `Last: ${words}; ${when(at)}${cause === undefined ? '' : `, because: ${sayCause(cause, when)}`}.`,
        '  ',
        undefined,
        '  ',
      );
      if (version !== undefined) put(`version ${version}${newer}`, '    ', dim);
    } else if (one.messages.length === 0 && one.runs.length === 0) lines.push('  Nothing was decided yet.');
    for (const run of one.runs) {
      const arm = run.heldOut === undefined ? '' : `; ${sayHeldOut(run.heldOut)}: it walks its steps unsent`;
      const about = run.product === undefined ? '' : ` about ${run.product}`;
      put(
        `Under way since ${when(run.startedAt)} by ${run.trigger.name} (${run.trigger.id})${about}${arm}.`,
        '  ',
        undefined,
        '  ',
      );
      put(`${sayStandingPlace(run.standing)}${run.standing.words}`, '    ', undefined, '  ');
      put(`there since ${when(run.from)}; version ${run.version}`, '    ', dim);
    }
    for (const { occurrence, at } of one.bookings) {
      const what = occurrence.startsWith('inside|')
        ? `as one of those in ${occurrence.slice('inside|'.length)}`
        : `for ${occurrence}`;
      put(`Is asked ${when(at)}, ${what}.`, '  ');
    }
    if (one.rest !== undefined) {
      const { topic, since, campaign: by, why: reason, until } = one.rest;
      put(
        `Its topic ${topic} rests since ${when(since)} (${by}: ${reason}), until the person ${sayPast(until)}.`,
        '  ',
        undefined,
        '  ',
      );
    }
    for (const { until } of one.counts) put(`A success counts until ${when(until)}.`, '  ');
    for (const each of one.messages) message(each);
    if (one.older > 0) put(`… and ${count(one.older, 'older message')}: --campaign ${one.id}`, '  ', dim);
    const times = one.skips.reduce((sum, skip) => sum + skip.times, 0);
    if (times > 0) {
      const last = Math.max(...one.skips.map((skip) => skip.last));
      put(`Passed over ${times === 1 ? 'once' : times === 2 ? 'twice' : `${times} times`}, last ${when(last)}:`, '  ');
      for (const skip of one.skips) {
        const newest = one.skips.length === 1 ? '' : `, last ${when(skip.last)}`;
        put(
          `${skip.times} × ${sayReason(skip.reason)}${newest}${lostTo(skip.winner, one.id)}`,
          '    ',
          undefined,
          '  ',
        );
      }
    }
    if (one.would !== undefined) {
      put(`Starts ${one.would.starts}.`, '  ', undefined, '  ');
      for (const { words } of one.would.hindrances)
        put(`In the way now: ${words}.`, '  ', (line) => tone('yellow', line), '  ');
      if (one.would.hindrances.length === 0) lines.push('  Nothing is in the way now.');
      if (one.would.to === undefined && one.would.for === undefined) lines.push('  for: everybody');
      ruled('to, now', one.would.to, 1);
      ruled('for, now', one.would.for, 1);
    }
  };

  const clocks =
    why.zone === why.shopZone ? `in ${why.zone}` : `in ${why.zone}; the shop’s clock is that of ${why.shopZone}`;
  lines.push(tone('bold', `Contact ${why.contact}`));
  if (why.askedFor !== undefined) put(`${why.askedFor} was merged into this contact.`, '');
  put(`${when(why.at)}, ${clocks}.`, '');
  put(
    why.decidedBy === undefined
      ? 'Nothing was decided over this contact yet.'
      : `Last decided over by book ${why.decidedBy.ordinal} (${why.decidedBy.hash.slice(0, 12)})${sayModels(why.decidedBy.models)}.`,
    '',
  );
  for (const one of why.campaigns) campaign(one);
  if (why.unheardOf.length > 0) {
    lines.push('');
    put(`Nothing is known of: ${why.unheardOf.join(', ')}. What would start one: --campaign ${why.unheardOf[0]}.`, '');
  }
  return lines;
}

/** Which models stood at a decision: ", over models 3 (9f2c1b7a44d0)". */
const sayModels = (models: { hash: string; ordinal: number } | undefined): string =>
  models === undefined ? '' : `, over models ${models.ordinal} (${models.hash})`;
