// More like these: who is found, what is said of the list, and when there is nothing to say.
import { describe, expect, it } from 'vitest';
import { likeThese } from '../../../domain/insight/likeness.ts';
import { buyer, READING, shop } from '../../support/buyers.ts';

const { buyers, kinds } = shop(2000, 9);
const ofKind = (kind: number, step = 1): string[] =>
  buyers.flatMap(({ contact }, i) => (kinds[i] === kind && i % step === 0 ? [contact] : []));

describe('more like these', () => {
  it.each([
    ['enthusiasts', 0, 'Bought lately and often, mostly Lenses, large orders'],
    ['bargain hunters', 1, 'mostly with discounts'],
    ['people who return', 3, 'often returns'],
    ['album makers', 4, 'mostly Albums'],
  ])('finds the other %s from a quarter of them', (_, kind, words) => {
    const list = new Set(ofKind(kind, 4));
    const found = likeThese(buyers, list, 80, READING);
    if (found.kind !== 'like') throw new Error(found.says);
    expect(found.nearest).toHaveLength(80);
    const right = found.nearest.filter(({ place }) => kinds[place] === kind);
    expect(right.length).toBeGreaterThanOrEqual(72);
    expect(found.nearest.every(({ place }) => !list.has(buyers[place]?.contact ?? ''))).toBe(true);
    expect(found.says.toLowerCase()).toContain(words.toLowerCase());
    expect(found.usual.listed).toBeLessThan(found.usual.everybody);
  });

  it('gives the most alike first, nobody twice, and all the others where so many are asked for', () => {
    const found = likeThese(buyers, new Set(ofKind(4, 2)), 1e9, READING);
    if (found.kind !== 'like') throw new Error(found.says);
    const distances = found.nearest.map(({ distance }) => distance);
    expect(distances).toEqual([...distances].sort((a, b) => a - b));
    expect(new Set(found.nearest.map(({ place }) => place)).size).toBe(buyers.length - found.listed);
  });

  it('is the same whatever the order in which customers come', () => {
    const list = new Set(ofKind(0, 4));
    const names = (all: typeof buyers): string[] => {
      const found = likeThese(all, list, 40, READING);
      return found.kind === 'like' ? found.nearest.map(({ place }) => all[place]?.contact ?? '').sort() : [];
    };
    expect(names([...buyers].reverse())).toEqual(names(buyers));
  });
});

describe('a list that tells nothing', () => {
  const some = (from: number, count: number): Set<string> =>
    new Set(buyers.slice(from, from + count).map(({ contact }) => contact));

  it('is too short under ten customers, those unknown left out', () => {
    const strangers = Array.from({ length: 40 }, (_, i) => `stranger${i}`);
    const found = likeThese(buyers, new Set([...some(0, 9), ...strangers]), 10, READING);
    expect(found).toMatchObject({ kind: 'none', code: 'too-short', listed: 9 });
  });

  it.each([0, 300, 700, 1100, 1500])('is like everybody where it was drawn blindly (from %i)', (from) => {
    expect(likeThese(buyers, some(from, 200), 10, READING)).toMatchObject({ kind: 'none', code: 'like-everybody' });
    expect(likeThese(buyers, some(from, 20), 10, READING)).toMatchObject({ kind: 'none', code: 'like-everybody' });
  });

  it('is everybody, or some of identical people', () => {
    expect(likeThese(buyers, some(0, 2000), 10, READING)).toMatchObject({ kind: 'none', code: 'nobody-else' });
    const alike = Array.from({ length: 50 }, (_, i) => buyer(`c${i}`));
    const list = new Set(alike.slice(0, 20).map(({ contact }) => contact));
    expect(likeThese(alike, list, 10, READING)).toMatchObject({ kind: 'none', code: 'like-everybody' });
    expect(likeThese([], new Set(), 10, READING)).toMatchObject({ kind: 'none', code: 'too-short', listed: 0 });
  });
});
