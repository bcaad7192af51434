// Who shops at the demo shop: where people live, what they are called, how they consent, and how they buy.

export interface Country {
  code: string;
  zone: string;
  locale: string;
  weight: number;
  /** How people there consent: share of all, and how it is recorded. */
  consents: number;
  basis: 'double' | 'single' | 'soft';
  first: string[];
  last: string[];
}

export const COUNTRIES: Country[] = [
  {
    code: 'DE',
    zone: 'Europe/Berlin',
    locale: 'de',
    weight: 30,
    consents: 0.74,
    basis: 'double',
    first: ['Anna', 'Jonas', 'Lea', 'Felix', 'Mia', 'Paul', 'Jürgen', 'Katrin', 'Oskar', 'Heike'],
    last: ['Becker', 'Vogt', 'Krüger', 'Lindner', 'Sommer', 'Brandt', 'Weiß', 'Haas'],
  },
  {
    code: 'PL',
    zone: 'Europe/Warsaw',
    locale: 'pl',
    weight: 22,
    consents: 0.7,
    basis: 'double',
    first: ['Zofia', 'Jakub', 'Łucja', 'Piotr', 'Hanna', 'Wojciech', 'Ewa', 'Michał', 'Agnieszka', 'Tomasz'],
    last: ['Nowicka', 'Zieliński', 'Wójcik', 'Mazur', 'Król', 'Dąbek', 'Żak', 'Sikora'],
  },
  {
    code: 'AT',
    zone: 'Europe/Vienna',
    locale: 'de',
    weight: 8,
    consents: 0.72,
    basis: 'double',
    first: ['Elisabeth', 'Lukas', 'Magdalena', 'Florian', 'Theresa', 'Matthias'],
    last: ['Gruber', 'Pichler', 'Steiner', 'Moser', 'Hofer'],
  },
  {
    code: 'GB',
    zone: 'Europe/London',
    locale: 'en',
    weight: 12,
    consents: 0.78,
    basis: 'soft',
    first: ['Olivia', 'Harry', 'Isla', 'George', 'Poppy', 'Arthur', 'Zadie'],
    last: ['Hughes', 'Patel', 'Walsh', "O'Connor", 'Clarke', 'Morgan'],
  },
  {
    code: 'FR',
    zone: 'Europe/Paris',
    locale: 'fr',
    weight: 8,
    consents: 0.66,
    basis: 'single',
    first: ['Chloé', 'Hugo', 'Inès', 'Léo', 'Manon', 'Jules'],
    last: ['Lefèvre', 'Moreau', 'Garnier', 'Faure', 'Chevalier'],
  },
  {
    code: 'NL',
    zone: 'Europe/Amsterdam',
    locale: 'en',
    weight: 7,
    consents: 0.7,
    basis: 'single',
    first: ['Sanne', 'Daan', 'Fleur', 'Bram', 'Lotte', 'Sem'],
    last: ['de Vries', 'Bakker', 'Visser', 'Mulder', 'Smit'],
  },
  {
    code: 'US',
    zone: 'America/New_York',
    locale: 'en-US',
    weight: 8,
    consents: 0.82,
    basis: 'soft',
    first: ['Ava', 'Noah', 'Grace', 'Ethan', 'Maya', 'Caleb'],
    last: ['Rivera', 'Johnson', 'Nguyen', 'Cooper', 'Brooks'],
  },
  {
    code: 'JP',
    zone: 'Asia/Tokyo',
    locale: 'en',
    weight: 5,
    consents: 0.6,
    basis: 'single',
    first: ['Yui', 'Haruto', 'Sakura', 'Ren', '美咲'],
    last: ['Sato', 'Suzuki', 'Takahashi', 'Ito', '田中'],
  },
];

/** Orders of a month against the year's mean, January first. */
export const SEASON = [0.8, 0.8, 0.9, 0.95, 1.1, 1.1, 0.95, 0.9, 0.95, 1, 1.4, 1.7];
/** Relative frequency of orders by local hour. */
export const HOURS = [1, 0, 0, 0, 0, 0, 1, 3, 5, 6, 7, 7, 8, 7, 6, 6, 6, 7, 9, 11, 13, 12, 8, 3];

/** How people buy: days between orders, the chance that an order is the last, the most orders. */
export const HABITS = [
  { share: 34, days: 120, lapse: 0.85, most: 2 },
  { share: 30, days: 95, lapse: 0.22, most: 12 },
  { share: 26, days: 50, lapse: 0.1, most: 30 },
  { share: 10, days: 26, lapse: 0.06, most: 60 },
];
