// Checks settings.json beyond its shape: that what it names exists, and that its plans and limits can be kept.
import { days } from './check-rules.ts';
import { type Fault, sayPath, suggest } from './fault.ts';
import { type Localised, type Settings, TRACKING } from './settings.ts';
import { durationMs, isZone } from './time.ts';
import { domainOf } from './warm-up.ts';

const FILE = 'settings.json';
/** Messages are kept for 400 days: bounces that are further apart are not seen together. */
const MOST_BOUNCES_OVER = '365d';

/** Faults and warnings of the settings. */
export function checkSettings(settings: Settings): { faults: Fault[]; warnings: Fault[] } {
  const faults: Fault[] = [];
  const warnings: Fault[] = [];
  const say =
    (list: Fault[]) =>
    (code: string, path: string, message: string, remedy?: string): void => {
      list.push({ code, file: FILE, path, message, ...(remedy === undefined ? {} : { remedy }) });
    };
  const fault = say(faults);
  const warn = say(warnings);
  const brands = Object.keys(settings.brands);
  if (brands.length === 0)
    fault(
      'settings.brand',
      'brands',
      'no brand is named.',
      'Add one: its legal name and postal address stand in every e-mail.',
    );
  if (!isZone(settings.zone)) {
    fault(
      'settings.zone',
      'zone',
      `"${settings.zone}" is no time zone.`,
      suggest(settings.zone, Intl.supportedValuesOf('timeZone')) ?? 'Write such as "Europe/Warsaw".',
    );
  }
  if (!Intl.supportedValuesOf('currency').includes(settings.currency)) {
    fault(
      'settings.currency',
      'currency',
      `"${settings.currency}" is no currency.`,
      'Write its ISO 4217 code, such as "EUR".',
    );
  }
  for (const [id, sender] of Object.entries(settings.senders)) {
    if (!brands.includes(sender.brand)) {
      fault(
        'reference.brand',
        sayPath(['senders', id, 'brand']),
        `brand "${sender.brand}" does not exist.`,
        suggest(sender.brand, brands),
      );
    }
    if (/[\u0000-\u001f\u007f"<>]/.test(sender.name)) {
      fault(
        'settings.sender',
        sayPath(['senders', id, 'name']),
        'holds a character that a sender name cannot have.',
        'Leave out quotation marks, angle brackets and line breaks.',
      );
    }
  }
  const { quietHours } = settings;
  if (quietHours !== undefined && quietHours.from === quietHours.to) {
    fault(
      'settings.quiet',
      'quietHours',
      'begin and end at the same time.',
      'Leave "quietHours" out if there are none.',
    );
  }
  settings.locales.forEach((locale, index) => {
    if (settings.locales.indexOf(locale) < index)
      fault('settings.locale', sayPath(['locales', index]), `"${locale}" stands twice.`, 'Keep one.');
  });
  settings.caps.forEach((cap, index) => {
    if (days(cap.in) > 366)
      fault(
        'rule.duration',
        sayPath(['caps', index, 'in']),
        `"${cap.in}" is more than a year.`,
        'Caps count sends of at most 366 days.',
      );
  });
  (settings.linkHosts ?? []).forEach((host, index) => {
    if (!/^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(host)) {
      fault(
        'settings.host',
        sayPath(['linkHosts', index]),
        `"${host}" is no host name.`,
        'Write such as "shop.example.com": no "https://", no path.',
      );
    }
  });
  checkWarmUp(settings, fault, warn);
  checkSoftBounces(settings, fault, warn);
  checkTopics(settings, fault, warn);
  return { faults, warnings };
}

type Say = (code: string, path: string, message: string, remedy?: string) => void;

function checkWarmUp({ senders, warmUp }: Settings, fault: Say, warn: Say): void {
  const domains = [...new Set(Object.values(senders).map(({ from }) => domainOf(from)))];
  for (const [domain, plan] of Object.entries(warmUp ?? {})) {
    if (!domains.includes(domain)) {
      fault(
        'settings.warm-up',
        sayPath(['warmUp', domain]),
        `no sender writes from "${domain}".`,
        suggest(domain, domains),
      );
    }
    plan.days.forEach(({ most, engaged }, index) => {
      const before = plan.days[index - 1]?.most;
      const wider = plan.days[index - 1]?.engaged;
      if (index > 0 && engaged !== undefined && (wider === undefined || days(wider) > days(engaged))) {
        warn(
          'settings.warm-up',
          sayPath(['warmUp', domain, 'days', index, 'engaged']),
          `lets fewer people go than the day before: the last ${engaged}, after ${wider === undefined ? 'everybody' : `the last ${wider}`}.`,
          'Begin with the most engaged, and widen from day to day.',
        );
      }
      if (before !== undefined && most < before) {
        fault(
          'settings.warm-up',
          sayPath(['warmUp', domain, 'days', index, 'most']),
          `${most} is less than on the day before, ${before}.`,
          'Providers expect a new domain to grow: let no day be lower than the one before.',
        );
      }
    });
  }
}

function checkSoftBounces({ softBounces, caps }: Settings, fault: Say, warn: Say): void {
  if (softBounces === undefined) return;
  const { most, over } = softBounces;
  if (days(over) < 1) {
    fault(
      'settings.soft-bounces',
      'softBounces.over',
      `"${over}" is less than a day: one bad night at a provider would cost you everybody there.`,
      'Write such as "14d".',
    );
  } else if (days(over) > days(MOST_BOUNCES_OVER)) {
    fault(
      'settings.soft-bounces',
      'softBounces.over',
      `"${over}" is longer than messages are remembered.`,
      `At most ${MOST_BOUNCES_OVER}.`,
    );
  }
  // So many do not go out in so long to anybody: addresses are given up later than the number lets one think.
  const reached = caps.map((cap) => ({ cap, takes: Math.ceil(most / cap.most - 1) * durationMs(cap.in) }));
  const slowest = reached.sort((a, b) => b.takes - a.takes)[0];
  if (slowest !== undefined && slowest.takes > durationMs(MOST_BOUNCES_OVER)) {
    warn(
      'settings.soft-bounces',
      'softBounces.most',
      `with at most ${slowest.cap.most} in ${slowest.cap.in}, ${most} in a row take more than a year: no address is ever given up.`,
      'Choose a lower number.',
    );
  }
}

function checkTopics({ topics, locales, tracking }: Settings, fault: Say, warn: Say): void {
  for (const [id, { title, description }] of Object.entries(topics)) {
    checkLocalised(['topics', id, 'title'], title, locales, fault, warn);
    if (description !== undefined) checkLocalised(['topics', id, 'description'], description, locales, fault, warn);
  }
  const asked = Object.hasOwn(topics, TRACKING);
  if (tracking?.opens === true && !asked) {
    warn(
      'settings.tracking',
      'tracking.opens',
      `nobody can consent to it: there is no topic "${TRACKING}", so no open is ever counted.`,
      `Add the topic "${TRACKING}", say in its description that you see when an e-mail is opened, and deploy the stage with --track-opens true; or take "tracking" out.`,
    );
  }
  if (asked && tracking?.opens !== true) {
    warn(
      'settings.tracking',
      sayPath(['topics', TRACKING]),
      'asks people to let you see when they open an e-mail, and opens are off.',
      'Take it out, or write "tracking": { "opens": true } and deploy the stage with --track-opens true.',
    );
  }
}

/** A text that is given by locale has one for each locale of the shop, its own or its language's. */
function checkLocalised(path: string[], text: Localised, locales: string[], fault: Say, warn: Say): void {
  if (typeof text === 'string') return;
  const given = Object.keys(text);
  if (given.length === 0) {
    fault('settings.topic', sayPath(path), 'says nothing in any language.', 'Write a text, or one for each locale.');
    return;
  }
  for (const locale of locales) {
    if (given.includes(locale) || given.includes(locale.split('-')[0]!)) continue;
    warn(
      'settings.topic',
      sayPath(path),
      `has no "${locale}": people who read it see the "${given[0]}".`,
      `Add "${locale}".`,
    );
  }
  for (const locale of given) {
    if (locales.some((each) => each === locale || each.split('-')[0] === locale)) continue;
    warn(
      'settings.topic',
      sayPath([...path, locale]),
      `"${locale}" is no locale of the shop: nobody sees it.`,
      suggest(locale, locales),
    );
  }
}
