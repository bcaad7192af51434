// The definitions as published, and compiled: what decides.
import type { Campaign, Segment } from './grammar.ts';
import type { Catalogue, Fields, Settings } from './settings.ts';

/** One e-mail, compiled at publish: Liquid sources by locale. */
export interface CompiledEmail {
  locales: Record<string, { subject: string; preheader: string; html: string; text: string }>;
}

/** A campaign as published: its version is a hash of what it says. */
export interface PublishedCampaign {
  id: string;
  version: string;
  /** Ordinal of the first book that holds this version with these segments: live once that book is filled. */
  since: number;
  campaign: Campaign;
}

/** What `kairos publish` writes, named by its hash. */
export interface Definitions {
  shape: 1;
  /** Grows by one with each publish. */
  ordinal: number;
  settings: Settings;
  segments: Record<string, Segment & { ordinal: number }>;
  campaigns: Record<string, PublishedCampaign>;
  /** Earlier versions that live runs may be pinned to: key `<id>@<version>`. */
  retired: Record<string, PublishedCampaign>;
  emails: Record<string, CompiledEmail>;
  /** Compiled pages: name → locale → Liquid source. */
  pages: Record<string, Record<string, string>>;
  catalogue: Catalogue;
  fields: Fields;
}

/** Small, at most ten seconds old. */
export interface Controls {
  /** Sending is stopped altogether. */
  stopped?: { by: string; at: number; why: string };
  /** Campaigns that are paused. */
  paused: Record<string, { by: string; at: number }>;
  /** Ordinal of the newest book whose backfill has ended: campaigns of later books are not live yet. */
  filled: number;
}

export interface Book {
  hash: string;
  definitions: Definitions;
  controls: Controls;
  /** True when nothing in the book reads this event: it is recorded by one conditional put. */
  ignores(name: string): boolean;
}

/** Compiles definitions once. Throws when they are not valid: publish has validated them. */
export declare function compileBook(definitions: Definitions, hash: string, controls: Controls): Book;
