// Which mailbox provider an address belongs to: reputations are kept by provider, and so are budgets.

/** Domains of consumer mailboxes whose provider is known by the domain alone. */
const DOMAINS: Record<string, string> = {
  'gmail.com': 'gmail',
  'googlemail.com': 'gmail',
  'google.com': 'gmail',
  'outlook.com': 'microsoft',
  'hotmail.com': 'microsoft',
  'live.com': 'microsoft',
  'msn.com': 'microsoft',
  'passport.com': 'microsoft',
  'windowslive.com': 'microsoft',
  'ymail.com': 'yahoo',
  'rocketmail.com': 'yahoo',
  'myyahoo.com': 'yahoo',
  'aol.com': 'yahoo',
  'aim.com': 'yahoo',
  'verizon.net': 'yahoo',
  'icloud.com': 'apple',
  'me.com': 'apple',
  'mac.com': 'apple',
  'web.de': 'gmx',
  'mail.com': 'gmx',
  'caramail.com': 'gmx',
  't-online.de': 't-online',
  'magenta.de': 't-online',
  'orange.fr': 'orange',
  'wanadoo.fr': 'orange',
  'free.fr': 'free',
  'libero.it': 'libero',
  'virgilio.it': 'libero',
  'seznam.cz': 'seznam',
  'email.cz': 'seznam',
  'wp.pl': 'wp',
  'o2.pl': 'wp',
  'tlen.pl': 'wp',
  'onet.pl': 'onet',
  'op.pl': 'onet',
  'vp.pl': 'onet',
  'onet.eu': 'onet',
  'poczta.onet.pl': 'onet',
  'interia.pl': 'interia',
  'interia.eu': 'interia',
  'poczta.fm': 'interia',
  'mail.ru': 'mail-ru',
  'bk.ru': 'mail-ru',
  'inbox.ru': 'mail-ru',
  'list.ru': 'mail-ru',
  'yandex.ru': 'yandex',
  'yandex.com': 'yandex',
  'ya.ru': 'yandex',
  'qq.com': 'qq',
  'foxmail.com': 'qq',
  '163.com': 'netease',
  '126.com': 'netease',
  'yeah.net': 'netease',
  'naver.com': 'naver',
  'proton.me': 'proton',
  'protonmail.com': 'proton',
  'pm.me': 'proton',
  'comcast.net': 'comcast',
};

/** Names that a provider uses under the top-level domains of countries: `hotmail.co.uk`, `yahoo.com.br`, `gmx.at`. */
const NATIONAL: Record<string, string> = {
  outlook: 'microsoft',
  hotmail: 'microsoft',
  live: 'microsoft',
  msn: 'microsoft',
  yahoo: 'yahoo',
  ymail: 'yahoo',
  aol: 'yahoo',
  gmx: 'gmx',
};
const COUNTRY = /^(?:[a-z]{2}|com|net|org|co\.[a-z]{2}|com\.[a-z]{2}|ne\.[a-z]{2})$/;

/** All names that `providerOf` can answer, `other` last. */
export const PROVIDERS: readonly string[] = [
  ...new Set([...Object.values(DOMAINS), ...Object.values(NATIONAL)]),
  'other',
];

/**
 * The mailbox provider of an address: `gmail`, `microsoft`, `yahoo`, `apple`, `gmx`, …, else `other`. By the domain
 * alone: a company's own domain is `other`, wherever its mail is read. Upper case and blanks around are no matter.
 * Never throws; what is no address is `other`. An answer holds small letters and hyphens only.
 */
export function providerOf(address: string): string {
  const domain = address
    .slice(address.lastIndexOf('@') + 1)
    .trim()
    .toLowerCase();
  if (!address.includes('@')) return 'other';
  if (Object.hasOwn(DOMAINS, domain)) return DOMAINS[domain] as string;
  const dot = domain.indexOf('.');
  const name = domain.slice(0, dot);
  return dot > 0 && Object.hasOwn(NATIONAL, name) && COUNTRY.test(domain.slice(dot + 1))
    ? (NATIONAL[name] as string)
    : 'other';
}
