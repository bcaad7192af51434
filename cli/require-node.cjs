// Says clearly what is missing where Node is too old to run TypeScript by itself; plain old JavaScript, so that any Node can say it.
'use strict';
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `Kairos needs Node 22.18 or newer, and this is ${process.versions.node} on ${process.platform} ${process.arch}.\n` +
      'On Linux (x64, arm64) and Windows x64, "npm ci" brings Node 24 along and "npm start", "npm test" and "npx" use it:\n' +
      'run them through npm, after "npm ci" without --omit=optional. Elsewhere install Node 24.',
  );
  process.exit(1);
}
