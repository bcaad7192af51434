// How a status looks on a terminal: sections in the order of the way of a mail, bars where people would rather look.
import { quotaUsed } from '../domain/allowance.ts';
import type { Control } from '../domain/book.ts';
import { percent } from '../domain/budget.ts';
import { dateOfDay } from '../domain/insight/customer.ts';
import type { WalkState } from '../functions/aws/broadcasts.ts';
import type { TestState } from '../functions/aws/variant-tests.ts';
import { sayFilling } from './filling.ts';
import { span, stamp } from './stage.ts';
import type { Finding, InsightState, Status } from './status.ts';
import { count } from './validate.ts';

const LABEL = 10;
const BAR = 24;
const MOST_BUDGETS = 8;
const MOST_WALKS = 8;
const MOST_TESTS = 8;

type Tone = 'bold' | 'dim' | 'red' | 'green' | 'yellow';
const CODES: Record<Tone, [number, number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

/** The screen in lines. Without colours it says the same in words. */
export function drawStatus(status: Status, found: Finding[], { colours }: { colours: boolean }): string[] {
  const tone = (name: Tone, text: string): string =>
    colours ? `\u001b[${CODES[name][0]}m${text}\u001b[${CODES[name][1]}m` : text;
  const { at } = status;
  const lines: string[] = [];
  const row = (label: string, text: string): void => {
    lines.push(`${tone('bold', label.padEnd(LABEL))}${text}`.trimEnd());
  };
  const more = (text: string): void => {
    lines.push(`${' '.repeat(LABEL)}${text}`.trimEnd());
  };
  const ago = (instant: number): string => `${span(at - instant)} ago`;
  const todo = (...about: Finding['about'][]): void => {
    for (const { says, todo, heading } of found.filter((each) => about.includes(each.about)))
      more(tone('yellow', `→ ${says} ${todo} (runbook: ${heading})`));
  };
  const whom = ({ by, at: since, why }: Control): string => `by ${by}, ${ago(since)}: ${why}`;
  const number = (value: number): string => value.toLocaleString('en');
  const bar = (share: number, tones: { warn: number; over: number }): string => {
    const full = Math.max(0, Math.min(BAR, Math.round(share * BAR)));
    const text = `${'█'.repeat(full)}${'░'.repeat(BAR - full)}`;
    return tone(share >= tones.over ? 'red' : share >= tones.warn ? 'yellow' : 'green', text);
  };

  const verdict =
    found.length === 0
      ? tone('green', 'well')
      : tone('red', `${count(found.length, 'thing needs', 'things need')} a person`);
  lines.push(`Kairos ${status.stage}, ${stamp(at)}: ${verdict}`, '');

  // ---- sending ----
  if (status.stopped === undefined) row('Sending', tone('green', 'goes on'));
  else row('Sending', `${tone('red', 'STOPPED')} ${whom(status.stopped)}`);
  for (const [campaign, control] of Object.entries(status.paused))
    more(`${tone('yellow', 'paused')}  ${campaign}, ${whom(control)}`);
  todo('sending');
  const { lastMinute, busiestSecond } = status.sends;
  more(`last minute: ${count(lastMinute, 'send')}${lastMinute > 0 ? `, ${busiestSecond} in its busiest second` : ''}`);

  // ---- SES ----
  lines.push('');
  const { account } = status;
  if (account === undefined) row('SES', tone('yellow', 'nothing is known yet'));
  else {
    const standing =
      account.enforcement === 'HEALTHY'
        ? 'healthy'
        : tone('red', account.enforcement === 'PROBATION' ? 'under review' : account.enforcement.toLowerCase());
    const parts = [
      standing,
      account.sendingEnabled ? 'sending enabled' : tone('red', 'sending disabled'),
      account.production ? 'production' : tone('yellow', 'sandbox'),
      `up to ${number(account.maxRate)} a second`,
    ];
    row('SES', `${parts.join(', ')} ${tone('dim', `(asked ${ago(account.at)})`)}`);
    if (account.max24h < 0) more(`no daily quota; ${number(account.sent24h)} in 24 hours`);
    else {
      const used = quotaUsed(account);
      more(
        `${bar(used, { warn: 0.6, over: 0.8 })} ${number(account.sent24h)} of ${number(account.max24h)} in 24 hours (${percent(used)})`,
      );
    }
  }
  todo('ses');
  for (const { domain, day, days, most, sent, waiting, starts } of status.warmUp) {
    if (day < 1) more(`warm-up of ${domain} starts on ${starts}`);
    else {
      const share = most === undefined ? 0 : sent / most;
      more(
        `warm-up of ${domain}, day ${day} of ${days}: ${bar(share, { warn: 1.1, over: 1.1 })} ${number(sent)} of ${number(most ?? 0)}${waiting > 0 ? `, ${number(waiting)} wait for a later day` : ''}`,
      );
    }
  }

  // ---- queues ----
  lines.push('');
  const table = [
    ['', 'waiting', 'in work', 'dead letters'],
    ...status.queues.map(({ queue, waiting, underWay, deadLetters }) => [
      queue,
      number(waiting),
      number(underWay),
      number(deadLetters),
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((cells) => cells[column]!.length)));
  for (const [index, cells] of table.entries()) {
    const text = cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join('  ');
    const dead = index > 0 && status.queues[index - 1]!.deadLetters > 0;
    if (index === 0) row('Queues', tone('dim', text));
    else more(dead ? tone('red', text) : text);
  }
  if (status.streamRecords.files > 0) {
    more(tone('red', `${count(status.streamRecords.files, 'batch', 'batches')} of stream records given up`));
  }
  todo('queues');

  // ---- due ----
  lines.push('');
  const names = {
    triggered: 'triggered mail',
    bulk: 'bulk mail',
    ticks: 'people who wait',
    turns: 'turned products',
    notices: 'what others hear',
  };
  for (const [index, { lane, waiting, due, all, late }] of status.lanes.entries()) {
    const parts = [
      `${all ? '' : 'at least '}${number(waiting)} in the index`,
      `${number(due)} due`,
      ...(late === undefined ? [] : [`the oldest ${span(late)} late`]),
    ];
    const text = `${names[lane].padEnd(16)}  ${parts.join(', ')}`;
    if (index === 0) row('Due', text);
    else more(text);
  }
  todo('due');

  // ---- feedback ----
  lines.push('');
  const { newest, openClaims, oldest, all } = status.feedback;
  row(
    'Feedback',
    newest === undefined
      ? 'no Send event has come yet'
      : `Send events have come of mail up to ${stamp(newest)}, ${ago(newest)}`,
  );
  more(
    openClaims === 0
      ? 'no claim is open for longer than 5 minutes'
      : tone(
          'yellow',
          `${all ? '' : 'at least '}${count(openClaims, 'claim is', 'claims are')} open for longer than 5 minutes, the oldest since ${ago(oldest ?? at)}`,
        ),
  );
  todo('feedback');
  const { failed, failedToday, uncertain, notices } = status.held;
  const atLeast = status.held.all ? '' : 'at least ';
  more(
    failed + uncertain === 0
      ? 'no message failed, none is uncertain'
      : `${atLeast}${count(failed, 'message')} failed (${failedToday} planned within the last day), ${uncertain} uncertain: npx kairos messages`,
  );
  if (notices > 0) more(tone('yellow', `${count(notices, 'notice')} failed: npx kairos notices`));
  todo('held');

  // ---- tests ----
  if (status.tests.length > 0) lines.push('');
  for (const [index, test] of status.tests.slice(0, MOST_TESTS).entries()) {
    const text = sayTest(test, at);
    if (index === 0) row('Tests', text);
    else more(text);
  }
  if (status.tests.length > MOST_TESTS) more(`… and ${status.tests.length - MOST_TESTS} further ones, with --json`);

  // ---- walks ----
  if (status.walks.length > 0) lines.push('');
  for (const [index, walk] of status.walks.slice(0, MOST_WALKS).entries()) {
    const text = sayWalk(walk, at);
    if (index === 0) row('Walks', text);
    else more(text);
  }
  if (status.walks.length > MOST_WALKS) more(`… and ${status.walks.length - MOST_WALKS} further ones, with --json`);
  todo('walks');

  // ---- budgets ----
  lines.push('');
  if (status.budgets.length === 0) row('Budgets', 'no complaints, bounces or unsubscribes that count');
  const width = Math.max(0, ...status.budgets.map(({ campaign }) => campaign.length));
  for (const [index, { campaign, rate, limit, verdict, says }] of status.budgets.slice(0, MOST_BUDGETS).entries()) {
    const share = Math.min(1, rate / limit);
    const drawn = bar(share, { warn: verdict === 'fine' ? 2 : 0, over: verdict === 'over' ? 0 : 2 });
    const text = `${campaign.padEnd(width)}  ${drawn} ${says}`;
    if (index === 0) row('Budgets', text);
    else more(text);
  }
  for (const { campaign, made, most, day } of status.excesses)
    more(tone('red', `${campaign} made ${number(made)} messages for ${day}; its day may bring ${number(most)}`));
  if (status.budgets.length > MOST_BUDGETS)
    more(`… and ${status.budgets.length - MOST_BUDGETS} further ones, with --json`);
  todo('budgets');

  // ---- coupons ----
  if (status.coupons.length > 0) lines.push('');
  const pools = Math.max(0, ...status.coupons.map(({ pool }) => pool.length));
  for (const [index, { pool, left, lowWater }] of status.coupons.entries()) {
    const text =
      left >= lowWater
        ? `${pool.padEnd(pools)}  ${tone('green', `at least ${count(lowWater, 'code')}`)}`
        : `${pool.padEnd(pools)}  ${tone(left === 0 ? 'red' : 'yellow', left === 0 ? 'empty' : count(left, 'code'))}, low below ${number(lowWater)}`;
    if (index === 0) row('Coupons', text);
    else more(text);
  }
  todo('coupons');

  // ---- book, actions ----
  lines.push('');
  if (status.book === undefined)
    row('Book', tone('yellow', 'nothing is published: events are recorded, nothing is sent'));
  else {
    const { ordinal, hash, publishedAt, by, filling } = status.book;
    row(
      'Book',
      `${ordinal} (${hash.slice(0, 12)}), published ${ago(publishedAt)}${by === undefined ? '' : ` by ${by}`}`,
    );
    more(
      filling.done
        ? 'all its campaigns are live'
        : `new and changed campaigns wait for the walk over all contacts: ${sayFilling(filling)}`,
    );
  }
  todo('book');
  // ---- insight ----
  if (status.insight !== undefined) {
    lines.push('');
    for (const [index, text] of sayInsight(status.insight, at).entries()) {
      if (index === 0) row('Insight', text);
      else more(text);
    }
  }
  todo('insight');
  if (status.actions.length > 0) {
    lines.push('');
    for (const [index, { what, to, by, at: when, why }] of status.actions.entries()) {
      const text = `${stamp(when)}  ${what}${to === undefined ? '' : ` ${to}`}, ${by}: ${why}`;
      if (index === 0) row('Actions', text);
      else more(text);
    }
  }
  return lines;
}

/** A broadcast's walk in words: "newsletter, 2026-05-05: walked 12,000 contacts (3 of 32 shards), booked 8,000; the last have it at …". */
export function sayWalk(walk: WalkState, at: number): string {
  const { campaign, occurrence, walked, booked, late, shards, shardsDone, rests, drainsAt, endedAt, why } = walk;
  const number = (value: number): string => value.toLocaleString('en');
  const name = occurrence.startsWith('inside|') ? `those inside ${occurrence.slice('inside|'.length)}` : occurrence;
  const part = endedAt === undefined ? ` (${shardsDone} of ${shards} shards)` : '';
  const state =
    why !== undefined
      ? `ended, ${why}: `
      : rests
        ? 'waits for the end of its pause: '
        : endedAt === undefined
          ? ''
          : 'all ';
  const drains =
    drainsAt === undefined
      ? ''
      : drainsAt > at
        ? `; the last have it by ${stamp(drainsAt)}`
        : `; all had it by ${stamp(drainsAt)}`;
  return [
    `${campaign}, ${name}: ${state}${number(walked)} contacts walked${part}, ${number(booked)} booked`,
    ...(late === 0 ? [] : [`, ${number(late)} too late for theirs`]),
    drains,
  ].join('');
}

/**
 * The nightly run in lines: "fitted 2026-11-30 from 5,121 customers and 9,204 orders, 5 h ago (models 12)", then a line for
 * each part that is not tonight's, and why.
 */
export function sayInsight({ run, walk }: InsightState, at: number): string[] {
  const number = (value: number): string => value.toLocaleString('en');
  const { today, customers, orders, at: ran, models, notes } = run;
  const of = models === undefined ? '' : ` (models ${models.ordinal})`;
  const lines = [
    ran === 0
      ? 'nothing fitted yet'
      : `fitted ${dateOfDay(today)} from ${number(customers)} customers and ${number(orders)} orders, ${span(at - ran)} ago${of}`,
  ];
  for (const { part, kind, says } of notes) lines.push(`${part} ${kind}: ${says}`);
  if (walk !== undefined) {
    const state = walk.ended
      ? 'all contacts were decided over with them'
      : `being decided over with them: ${number(walk.walked)} contacts, ${walk.shardsDone} of ${walk.shards} shards done`;
    lines.push(state);
  }
  return lines;
}

/** A test in words: "black-friday: runs for 2 h, 2 h to go: subject-a 12 of 300 clicked (4 %), subject-b 9 of 310 (2.9 %)". */
export function sayTest({ campaign, send, first, ends, by, tried, decided }: TestState, at: number): string {
  const did = by === 'clicked' ? 'clicked' : 'converted';
  const best = [...tried].sort((a, b) => b.events * a.people - a.events * b.people);
  const figures = best
    .map(({ variant, people, events }, index) => {
      const share = people === 0 ? '' : ` (${percent(events / people)})`;
      return `${variant} ${events} of ${people}${index === 0 ? ` ${did}` : ''}${share}`;
    })
    .join(', ');
  const verdict =
    decided === undefined
      ? at < ends
        ? `runs for ${span(at - first)}, ${span(ends - at)} to go`
        : 'over, to be decided'
      : decided.winner === null
        ? `no clear winner, ${span(at - decided.at)} ago`
        : `won by ${decided.winner}, ${span(at - decided.at)} ago`;
  return `${campaign}${send === campaign ? '' : `, ${send}`}: ${verdict}: ${figures}`;
}
