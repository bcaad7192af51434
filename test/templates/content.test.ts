// What e-mails may say: variants, what each kind of start hands over, coupons, carts, sizes and languages.
import { describe, expect, it } from 'vitest';
import { NO_IMAGES } from '../../cli/images.ts';
import { bind } from '../../cli/publish.ts';
import { buildTemplates, TemplatesRefused } from '../../cli/templates-folder.ts';
import { samplesOf } from '../../domain/check-emails.ts';
import { sayFault } from '../../domain/fault.ts';
import { emailOf, renderEmail } from '../../domain/render.ts';
import type { buildView } from '../../domain/view.ts';
import { type Edit, edited } from './edit.ts';

const LOCALES = ['en', 'de', 'pl'];
const built = async (edits: Edit[]) => buildTemplates(await edited(edits));
const faultsOf = async (edits: Edit[]): Promise<string[]> => {
  const error = await built(edits).catch((reason: unknown) => reason);
  return error instanceof TemplatesRefused ? error.faults.map(sayFault) : [];
};
const warningsOf = async (edits: Edit[]) => (await built(edits)).warnings.map(sayFault);

/** The subject of the welcome e-mail in each language, and the campaign's one send. */
const variant = (name: string, texts: object, locales = LOCALES): Edit[] =>
  locales.map((locale) => ({ file: `emails/welcome/${locale}.json`, at: ['variants', name], to: texts }));
const withVariants = (...names: string[]): Edit[] => [
  ...LOCALES.map((locale) => ({ file: `emails/welcome/${locale}.json`, at: ['variants'], to: {} })),
  {
    file: 'campaigns/welcome.json',
    at: ['steps'],
    to: [{ send: 'welcome', test: { variants: names, share: 20, for: '4h', winner: 'clicked' } }],
  },
];
const says = (text: string, locale = 'en', key = 'heading'): Edit => ({
  file: `emails/welcome/${locale}.json`,
  at: [key],
  to: text,
});
const startedBy = (when: object, send: object = { send: 'welcome' }): Edit[] => [
  { file: 'campaigns/welcome.json', at: ['when'], to: when },
  { file: 'campaigns/welcome.json', at: ['steps'], to: [send] },
];

describe('variants of an e-mail', () => {
  it('are compiled beside it in each language, with its words where they say nothing', async () => {
    const { emails, draft } = await built([
      ...withVariants('a', 'b'),
      ...variant('b', { subject: 'Another subject', body: ['One.', 'Two.'] }),
    ]);
    expect(Object.keys(emails)).toContain('welcome@b');
    const [plain, other] = [emails.welcome!, emails['welcome@b']!];
    expect(Object.keys(other.locales).sort()).toEqual(['de', 'en', 'pl']);
    expect(other.locales.de?.subject).toBe('Another subject');
    expect(other.locales.de?.preheader).toBe(plain.locales.de?.preheader);
    expect(other.locales.pl?.html).toContain('<p>One.</p>');
    expect(plain.locales.pl?.html).not.toContain('<p>One.</p>');
    const definitions = { settings: draft.settings, catalogue: draft.catalogue } as Parameters<typeof buildView>[0];
    const run = (name: string) => samplesOf(name, draft, definitions).map(({ view }) => view.run.variant);
    expect([...new Set(run('welcome'))]).toEqual(['a']);
    expect([...new Set(run('welcome@b'))]).toEqual(['b']);
    expect(emailOf({ emails }, { email: 'welcome', variant: 'b' })).toBe(other);
    expect(emailOf({ emails }, { email: 'welcome', variant: 'a' })).toBe(plain);
    expect(emailOf({ emails }, { email: 'welcome' })).toBe(plain);
  });

  it.each<[string, Edit[], string[]]>([
    [
      'one that a language does not have',
      [...withVariants('a', 'b'), ...variant('b', { subject: 'Other' }, ['en', 'de'])],
      ['emails/welcome/pl.json variants.b: is missing, and en.json has it. Translate the variant "b".'],
    ],
    [
      'a text that the e-mail does not have',
      [
        ...withVariants('a', 'b'),
        ...variant('b', { subjet: 'Other' }, ['en']),
        ...variant('b', { subject: 'Other' }, ['de', 'pl']),
      ],
      ['emails/welcome/en.json variants.b.subjet: is no text of this e-mail. Did you mean "subject"?'],
    ],
    [
      'two without words of their own',
      withVariants('a', 'b'),
      [
        'campaigns/welcome.json steps[0].test.variants: the variants "a" and "b" of the e-mail "welcome" say the same. Write what "b" says in another way: "variants": {"b": {"subject": "…"}} in emails/welcome/.',
      ],
    ],
    [
      'two with the same words',
      [...withVariants('a', 'b', 'c'), ...variant('b', { subject: 'Other' }), ...variant('c', { subject: 'Other' })],
      [
        'campaigns/welcome.json steps[0].test.variants: the variants "b" and "c" of the e-mail "welcome" say the same. Write what "c" says in another way: "variants": {"c": {"subject": "…"}} in emails/welcome/.',
      ],
    ],
    [
      'one that repeats the words of the e-mail',
      [
        ...withVariants('a', 'b'),
        says('Same', 'en', 'button'),
        ...variant('b', {}, ['de', 'pl']),
        ...variant('b', { button: 'Same' }, ['en']),
      ],
      [expect.stringContaining('the variants "a" and "b" of the e-mail "welcome" say the same.')],
    ],
    [
      'a variable that is not known, at its place',
      [...withVariants('a', 'b'), ...variant('b', { heading: 'Hi {{ contact.fristName }}' })],
      ['de', 'en', 'pl'].map(
        (locale) =>
          `emails/welcome/${locale}.json variants.b.heading: "contact.fristName" is unknown. Did you mean "firstName"?`,
      ),
    ],
    [
      'a value that not everybody has, at its place',
      [
        ...withVariants('a', 'b'),
        ...variant('b', { subject: 'Hi' }, ['de', 'pl']),
        ...variant('b', { heading: 'Hi {{ contact.firstName }}' }, ['en']),
      ],
      [
        expect.stringContaining(
          'emails/welcome/en.json variants.b.heading: "contact.firstName" has no value for somebody of whom nothing is known.',
        ),
      ],
    ],
  ])('given %s', async (_, edits, faults) => {
    expect(await faultsOf(edits)).toEqual(faults);
  });

  it('are a warning where no campaign names them', async () => {
    const none = LOCALES.map((locale): Edit => ({ file: `emails/welcome/${locale}.json`, at: ['variants'], to: {} }));
    expect(await warningsOf([...none, ...variant('subjct-b', { subject: 'Other' })])).toEqual([
      'emails/welcome/en.json variants.subjct-b: is named by no campaign.',
    ]);
    expect(
      await warningsOf([
        ...withVariants('a', 'b'),
        ...variant('b', { subject: '1' }),
        ...variant('bb', { subject: '2' }),
      ]),
    ).toEqual(['emails/welcome/en.json variants.bb: is named by no campaign. Known: "a", "b".']);
  });

  it('stay as they were for runs of an earlier version, and go where a live campaign shows the e-mail as it is', async () => {
    const first = bind(await built([...withVariants('a', 'b'), ...variant('b', { subject: 'Old' })]), undefined, 0);
    const later = bind(await built([]), first.definitions, first.segmentsUsed).definitions;
    expect(later.emails['welcome@b']?.locales.en?.subject).toBe('Old');
    const plain = bind(
      await built([...withVariants('b', 'c'), ...variant('c', { subject: 'New' })]),
      first.definitions,
      9,
    );
    expect(plain.definitions.emails['welcome@b']).toBeUndefined();
    expect(plain.definitions.emails['welcome@c']?.locales.en?.subject).toBe('New');
  });
});

describe('what starts a campaign', () => {
  it.each<[string, object, string[], string]>([
    ['a segment', { enters: 'vip' }, ['segment'], 'with a segment'],
    ['a segment that is left', { leaves: 'vip' }, ['segment'], 'with a segment'],
    ['an attribute', { changes: 'loyalty.tier', to: 'gold' }, ['attribute', 'from', 'to'], 'with a changed attribute'],
    ['a date', { date: 'birthday' }, ['date'], 'at a date'],
    ['a product that runs out', { due: 'replenishment' }, ['product_id'], 'when a product runs out'],
    [
      'a product that turns',
      { product: 'price drop', watchedBy: { did: 'Product Viewed', inLast: '30d' } },
      ['product_id', 'price', 'lowestPrice30d', 'stock'],
      'when a product turns',
    ],
    ['a broadcast', { every: 'tuesday 10:00', clock: 'shop', to: { segment: 'vip' } }, ['date'], 'at a date'],
  ])('%s hands over what it knows, and nothing else', async (_, when, fields, starts) => {
    const start = startedBy(when);
    const guarded = fields.map((field) => `{% if trigger.${field} %}{{ trigger.${field} }}{% endif %}`).join('');
    const known = await faultsOf([...start, says(`Hi ${guarded}`)]);
    expect(known.filter((fault) => fault.startsWith('emails/'))).toEqual([]);
    const found = await faultsOf([...start, says('Order {{ trigger.order_id }}')]);
    expect(found.find((fault) => fault.startsWith('emails/'))).toContain(
      `emails/welcome/en.json heading: "trigger.order_id" has no value in "welcome", which starts ${starts}.`,
    );
  });

  it('gives what turned, what is due and what was looked at again and again as the product, to everybody', async () => {
    for (const when of [
      { product: 'price drop', watchedBy: { did: 'Product Viewed', inLast: '30d' } },
      { due: 'replenishment' },
      { did: 'Product Viewed', times: { atLeast: 2 }, same: 'product_id', inLast: '1d' },
    ]) {
      const found = await faultsOf([...startedBy(when), says('About {{ product.name }}')]);
      expect(found.filter((fault) => fault.startsWith('emails/'))).toEqual([]);
    }
  });

  it('announces a reduction only where there is one', async () => {
    const when = { product: 'price drop', watchedBy: { did: 'Product Viewed', inLast: '30d' } };
    const needs = { 'product.inStock': true, 'product.lowestPrice30d': { exists: true } };
    const start = startedBy(when, { send: 'welcome', needs });
    const ofEmails = (faults: string[]) => faults.filter((fault) => fault.startsWith('emails/'));
    expect(ofEmails(await faultsOf([...start, says('{{ product.price }}, {{ product.lowestPrice30d }}')]))).toEqual([]);
    expect(ofEmails(await faultsOf([...start, says('was {{ product.wasPrice }}')]))).toEqual([
      expect.stringContaining('"product.wasPrice" has no value for somebody of whom nothing is known.'),
    ]);
    expect(ofEmails(await faultsOf([...startedBy(when), says('{{ product.lowestPrice30d }}')]))).toEqual([
      expect.stringContaining('"product.lowestPrice30d" has no value'),
    ]);
  });
});

describe('a coupon', () => {
  const pools: Edit = { file: 'coupons.json', to: { pools: { WELCOME: { percent: 10 } } } };
  const given: Edit = { file: 'campaigns/welcome.json', at: ['steps', 0, 'coupon'], to: 'WELCOME' };

  it('is shown where the campaign gives one', async () => {
    const ends = '{% if coupon.expires %} until {{ coupon.expires | day }}{% endif %}';
    expect(await faultsOf([pools, given, says(`{{ coupon.code }}: {{ coupon.worth }}${ends}`)])).toEqual([]);
    const { emails, draft } = await built([pools, given, says(`{{ coupon.code }}: {{ coupon.worth }}${ends}`)]);
    const definitions = { settings: draft.settings, catalogue: draft.catalogue } as Parameters<typeof buildView>[0];
    const [anna] = samplesOf('welcome', draft, definitions);
    expect(renderEmail(emails.welcome!, anna!.view, 'en').text).toContain('WELCOME-4F7K-2Q: 10% until March 8, 2026');
  });

  it.each<[string, Edit[], string]>([
    [
      'no campaign gives',
      [says('{% if coupon %}{{ coupon.code }}{% endif %}')],
      'emails/welcome/en.json heading: shows a coupon, and "welcome" sends this e-mail without one. Name a pool at the "send", such as "coupon": "WELCOME", or take it out.',
    ],
    [
      'one send gives and another does not',
      [
        pools,
        {
          file: 'campaigns/welcome.json',
          at: ['steps'],
          to: [{ send: 'welcome' }, { wait: '1d' }, { send: 'welcome', coupon: 'WELCOME' }],
        },
        says('{{ coupon.code }}'),
      ],
      'emails/welcome/en.json heading: "coupon" has no value for people/anna.json.',
    ],
    [
      'has no end',
      [pools, given, says('{{ coupon.expires | day }}')],
      'emails/welcome/en.json heading: "coupon.expires" has no value',
    ],
    [
      'nobody knows so',
      [pools, given, says('{{ coupon.value }}')],
      'emails/welcome/en.json heading: "coupon.value" is unknown.',
    ],
  ])('that %s is a fault', async (_, edits, fault) => {
    expect((await faultsOf(edits))[0]).toContain(fault);
  });
});

describe('a cart', () => {
  it('is shown line by line, and is empty for who has none', async () => {
    const cart =
      '{% for line in cart %}{{ line.quantity | number }} × {{ line.name }}; {% endfor %}{% if cartValue %}{{ cartValue }}{% endif %}';
    const person: Edit = { file: 'people/anna.json', at: ['cart'], to: ['care-kit', 'halden-two'] };
    const { emails, draft } = await built([person, says(cart)]);
    const definitions = { settings: draft.settings, catalogue: draft.catalogue } as Parameters<typeof buildView>[0];
    const text = (who: string) => {
      const sample = samplesOf('welcome', draft, definitions).find(
        ({ person, locale }) => person === who && locale === 'en',
      );
      return renderEmail(emails.welcome!, sample!.view, 'en').text;
    };
    expect(text('anna')).toMatch(/2 × .*; 1 × .*; €[\d,.]+/);
    expect(text('nobody')).not.toContain('×');
    expect(await faultsOf([says('{{ cart.qty }} {{ cartValue }}')])).toEqual([
      expect.stringContaining('"cart.qty" is unknown.'),
    ]);
    expect((await faultsOf([says('{{ cartValue }}')]))[0]).toContain('"cartValue" has no value');
  });

  it('of a test person holds products that there are', async () => {
    expect(await faultsOf([{ file: 'people/anna.json', at: ['cart'], to: ['care-kti'] }])).toEqual([
      'people/anna.json cart[0]: product "care-kti" does not exist. Did you mean "care-kit"?',
    ]);
  });
});

describe('an e-mail', () => {
  it('that would be cut off is refused with its size', async () => {
    const [fault, ...others] = await faultsOf([
      says(`{% for i in (1..4000) %}<b>Twenty more letters</b> {% endfor %}`),
    ]);
    expect(fault).toMatch(
      /^emails\/welcome\/layout\.mjml: holds \d{6} bytes in "en" for people\/anna\.json; at most 100000 are sent\. Gmail cuts off what is longer/,
    );
    expect(others.every((other) => other.includes('bytes in "en"'))).toBe(true);
  });

  it('whose shared words a language does not have is refused once', async () => {
    expect(await faultsOf([{ file: 'emails/_shared/pl.json', remove: true }])).toContain(
      'emails/_shared/pl.json: is missing. settings.json names the locale "pl": translate what all e-mails say.',
    );
  });

  it('says where in which campaign it is', async () => {
    expect(await faultsOf([says('{{ run.campaign }} {{ run.step }}')])).toEqual([]);
    expect((await faultsOf([says('{{ run.variant }}')]))[0]).toContain('"run.variant" has no value');
  });

  it('writes dates by "day" alone', async () => {
    expect((await faultsOf([says('{{ "now" | date: "%Y" }}')]))[0]).toBe(
      'emails/welcome/en.json heading: the filter "date" is unknown. Write "day": it writes a date as the reader’s language does.',
    );
  });

  it('of a service campaign shows neither cart nor what it costs', async () => {
    const cart: Edit = {
      file: 'emails/confirm-subscription/en.json',
      at: ['after'],
      to: '{% if cartValue %}x{% endif %}',
    };
    expect((await faultsOf([cart]))[0]).toContain('shows the cart ("cartValue")');
  });

  it('names pictures that there are', async () => {
    const layout = {
      file: 'emails/welcome/layout.mjml',
      replace: ['<mj-button', '<mj-image src="images/no.png" alt="x" /><mj-button'],
    } as Edit;
    const error = await buildTemplates(await edited([layout]), NO_IMAGES).catch((reason: unknown) => reason);
    expect((error as TemplatesRefused).faults.map(sayFault)).toContain(
      'emails/welcome/layout.mjml line 14: the picture "images/no.png" does not exist. Put the file into templates/images.',
    );
  });
});
