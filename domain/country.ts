// Countries: a code or an English name as people write it, to its ISO 3166 code.

/** ISO 3166-1 alpha-2, as assigned officially. */
const CODES =
  'AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW'.split(
    ' ',
  );

/** Names in use that are not the official English ones. */
const ALSO: Record<string, string> = {
  uk: 'GB',
  'great britain': 'GB',
  england: 'GB',
  scotland: 'GB',
  wales: 'GB',
  'northern ireland': 'GB',
  usa: 'US',
  'united states of america': 'US',
  eire: 'IE',
  holland: 'NL',
  'the netherlands': 'NL',
  'czech republic': 'CZ',
  turkey: 'TR',
  'russian federation': 'RU',
  'republic of korea': 'KR',
  'viet nam': 'VN',
  macedonia: 'MK',
  'ivory coast': 'CI',
  'hong kong': 'HK',
  macau: 'MO',
  burma: 'MM',
  swaziland: 'SZ',
  'cape verde': 'CV',
};

const plain = (text: string): string =>
  text.normalize('NFKD').replace(/\p{M}/gu, '').replace(/[’']/g, '').replace(/&/g, 'and').trim().toLowerCase();

let names: Map<string, string> | undefined;

function nameTable(): Map<string, string> {
  if (names !== undefined) return names;
  const english = new Intl.DisplayNames(['en'], { type: 'region' });
  names = new Map(Object.entries(ALSO));
  for (const code of CODES) {
    names.set(code.toLowerCase(), code);
    names.set(plain(english.of(code) as string), code);
  }
  return names;
}

/** The ISO 3166-1 alpha-2 code of a code or an English name, in any case; undefined for whatever else. */
export function countryCode(text: unknown): string | undefined {
  if (typeof text !== 'string' || text.length > MOST) return undefined;
  return nameTable().get(plain(text));
}
const MOST = 60;
