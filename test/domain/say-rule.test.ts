// Rules in words: a table that a marketer can read aloud, and no two rules that say the same.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { canonical } from '../../domain/canonical.ts';
import type { Rule } from '../../domain/grammar.ts';
import { sayRule } from '../../domain/say-rule.ts';

const table = (name: string) =>
  JSON.parse(readFileSync(new URL(`../cases/${name}.json`, import.meta.url), 'utf8')) as {
    name: string;
    rule: Rule;
    words: string;
  }[];

/** Rules that mean the same by their form alone are one: double negations, groups of one, "at least once". */
function simplest(rule: Rule): Rule {
  if ('not' in rule) {
    const inner = simplest(rule.not);
    return 'not' in inner ? inner.not : { not: inner };
  }
  if ('all' in rule) return rule.all.length === 1 ? simplest(rule.all[0] as Rule) : { all: rule.all.map(simplest) };
  if ('any' in rule) return rule.any.length === 1 ? simplest(rule.any[0] as Rule) : { any: rule.any.map(simplest) };
  return rule;
}

describe('a rule in words', () => {
  it.each(table('rule-words'))('$name: $words', ({ rule, words }) => {
    expect(sayRule(rule)).toBe(words);
  });

  it('is another for every rule whose semantics are tested', () => {
    const rules = new Map(table('segment-rules').map(({ rule }) => [canonical(simplest(rule)), rule]));
    const said = new Map<string, Rule>();
    for (const rule of rules.values()) {
      const words = sayRule(rule);
      expect(words).not.toMatch(/undefined|\[object|NaN/);
      expect({ words, other: said.get(words), rule }).toEqual({ words, other: undefined, rule });
      said.set(words, rule);
    }
    expect(said.size).toBeGreaterThan(100);
  });
});
