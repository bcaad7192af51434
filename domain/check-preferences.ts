// Checks what leads to choices: that marketing mail links to them, and that their pages offer each and render in every state.
import type { CompiledEmail } from './book.ts';
import { type Draft, sendsOf } from './draft.ts';
import type { Fault } from './fault.ts';
import { CHOICE_PAGES } from './preferences.ts';
import {
  type ChoicesView,
  type KnownView,
  type PageView,
  RenderError,
  readsOf,
  renderPage,
  type SavedView,
} from './render.ts';
import { inLocale } from './settings.ts';
import { buildPageView } from './view.ts';

/** A warning where a marketing e-mail does not lead to the page of choices: leaving it whole is all that it offers. */
export function checkPreferenceLink(name: string, email: CompiledEmail, draft: Draft): Fault[] {
  const isMarketing = Object.values(draft.campaigns).some(
    ({ kind, steps }) => kind === 'marketing' && sendsOf(steps).some(({ send }) => send === name),
  );
  const leads = Object.values(email.locales).every(({ html }) =>
    readsOf(html, 'html').some(([root, field]) => root === 'links' && field === 'preferences'),
  );
  if (!isMarketing || leads) return [];
  return [
    {
      code: 'email.preferences',
      file: `emails/${name}/layout.mjml`,
      path: '',
      message: 'has no link to the page of choices: topics, a pause, what is known.',
      remedy: 'Include ../_shared/footer.mjml, or link to {{ links.preferences }}.',
    },
  ];
}

type PageName = (typeof CHOICE_PAGES)[number];
interface Sample {
  says: Pick<PageView, 'choices' | 'saved' | 'known'>;
  /** Choices that the page has to offer in this state. */
  offers: string[];
}

const DATE = '1 March 2026';

function choices(draft: Draft, locale: string, change: Partial<ChoicesView>): ChoicesView {
  const topics = Object.entries(draft.settings.topics).map(([id, { title, description }]) => ({
    id,
    title: inLocale(title, locale),
    ...(description === undefined ? {} : { description: inLocale(description, locale) }),
    on: true,
  }));
  return { made: 'sample', topics, anything: true, profilingStopped: false, blocked: false, knows: true, ...change };
}

const SAVED: SavedView['what'][] = ['save', 'pause', 'resume', 'stop-profiling', 'allow-profiling', 'withdraw'];

const NOTHING_KNOWN: KnownView = {
  since: DATE,
  attributes: [],
  bought: [],
  cart: [],
  acts: [],
  consents: [],
  profilingStopped: false,
  segments: [],
  campaigns: [],
};

function knownSamples(): KnownView[] {
  return [
    NOTHING_KNOWN,
    ...['bounced', 'complained', 'imported', 'unreachable'].map((reason) => ({
      ...NOTHING_KNOWN,
      address: 'a•••@mail.example',
      attributes: [
        ...[
          'firstName',
          'lastName',
          'name',
          'locale',
          'country',
          'city',
          'timezone',
          'birthday',
          'phone',
          'shoeSize',
        ].map((name) => ({ name, label: name, value: 'Ann', at: DATE })),
        ...[true, false].map((truth) => ({ name: 'member', label: 'Member', value: String(truth), truth, at: DATE })),
      ],
      orders: { count: 2, spend: '€10.00', first: DATE, last: DATE },
      bought: [{ name: 'Camera', at: DATE }],
      cart: ['Lens'],
      acts: [{ name: 'Product Viewed', at: DATE }],
      consents: (['double', 'single', 'soft', 'imported'] as const).map((basis) => ({
        topic: 'Offers',
        granted: basis !== 'soft',
        at: DATE,
        basis,
        source: 'shop',
        form: 'footer',
        wording: '2026-01',
        until: DATE,
      })),
      withdrawn: DATE,
      pausedUntil: DATE,
      profilingStopped: true,
      blocked: { reason, at: DATE },
      segments: [{ title: 'Regulars', at: DATE }],
      campaigns: [{ title: 'Welcome', at: DATE }],
      help: 'help@shop.example',
    })),
  ];
}

/** Every state in which a page is shown. */
export function pageSamples(name: PageName, draft: Draft, locale: string): Sample[] {
  switch (name) {
    case 'preferences':
      return [
        {
          says: { choices: choices(draft, locale, {}) },
          offers: ['save', 'pause', 'stop-profiling', 'known', 'withdraw'],
        },
        {
          says: {
            choices: choices(draft, locale, { pausedUntil: DATE, profilingStopped: true, blocked: true, knows: false }),
          },
          offers: ['save', 'resume', 'allow-profiling', 'withdraw'],
        },
        { says: {}, offers: ['withdraw'] },
      ];
    case 'saved':
      return SAVED.flatMap((what) =>
        [true, false].map((changed) => ({
          says: {
            saved: { what, on: ['Offers'], off: ['News'], changed, ...(what === 'pause' ? { until: DATE } : {}) },
          },
          offers: [],
        })),
      );
    case 'known':
      return [{ says: {}, offers: [] }, ...knownSamples().map((known) => ({ says: { known }, offers: [] }))];
    case 'gone':
      return [{ says: {}, offers: [] }];
    default:
      return name satisfies never;
  }
}

/** Faults of the pages behind preference links: name → locale → Liquid source. One fault of a kind for each page. */
export function checkChoicePages(pages: Record<string, Record<string, string>>, draft: Draft): Fault[] {
  const faults: Fault[] = [];
  const add = (code: string, name: string, path: string, message: string, remedy?: string): void => {
    const file = `pages/${name}.html`;
    if (faults.some((fault) => fault.code === code && fault.file === file && fault.message === message)) return;
    faults.push({ code, file, path, message, ...(remedy === undefined ? {} : { remedy }) });
  };
  for (const name of CHOICE_PAGES) {
    for (const [locale, source] of Object.entries(pages[name] ?? {})) {
      for (const { says, offers } of pageSamples(name, draft, locale)) {
        let page: string;
        try {
          page = renderPage(source, buildPageView(draft, { locale, kind: 'preferences', action: 'sample', ...says }));
        } catch (error) {
          if (!(error instanceof RenderError)) throw error;
          add('page.liquid', name, locale, error.fault.message);
          continue;
        }
        for (const choice of offers.filter((each) => !page.includes(`name="do" value="${each}"`))) {
          add(
            'page.choice',
            name,
            '',
            `does not offer "${choice}"${says.choices === undefined ? ' while choices cannot be read' : ''}.`,
            `Add <button type="submit" name="do" value="${choice}"> in a form that posts to {{ action }}.`,
          );
        }
        const forms = [...page.matchAll(/<form\b[^>]*>/gi)].map(([tag]) => tag);
        if (forms.some((tag) => !/method="post"/i.test(tag) || !tag.includes('action="sample"'))) {
          add(
            'page.form',
            name,
            '',
            'has a form that does not post to where it stands.',
            'Write <form method="post" action="{{ action }}">.',
          );
        }
        if (/<script\b/i.test(page)) {
          add('page.script', name, '', 'holds a script.', 'Pages work without scripts: take it out.');
        }
      }
    }
  }
  return faults;
}
