import { startEngine } from '/work/main/test/support/engine.ts';
import { TransactWriteCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
const engine = await startEngine((process.argv[2] ?? 'dynoxide') as never);
const table = await engine.table();
const doc = engine.documents();
async function time(what: string, n: number, width: number, f: (i: number) => Promise<unknown>) {
  const t=performance.now(); let i=0;
  await Promise.all(Array.from({length: width}, async () => { while (i<n) await f(i++); }));
  const ms = performance.now()-t; console.log(what, 'width', width, (ms/n).toFixed(2), 'ms each', (n/ms*1000).toFixed(0),'/s');
}
const body='x'.repeat(2000);
for (const w of [1,8]) {
await time('put', 400, w, i => doc.send(new PutCommand({TableName: table.name, Item: {pk: 'a'+w+i, sk:'b', body}})));
for (const size of [3, 20, 90]) await time('transact '+size, 150, w, i => doc.send(new TransactWriteCommand({TransactItems: Array.from({length:size},(_,k)=>({Put:{TableName: table.name, Item: {pk: 't'+w+size+'-'+i, sk:'b'+k, body}, ConditionExpression:'attribute_not_exists(pk)'}}))})));
}
await engine.stop();
