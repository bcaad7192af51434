#!/usr/bin/env node
// What `npx kairos` starts: says so where Node is too old for TypeScript, else hands over.
import './require-node.cjs';

await import('./kairos.ts');
