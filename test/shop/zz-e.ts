import { startEngine } from '../support/engine.ts';
import { TransactWriteCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
const engine = await startEngine();
const doc = engine.documents();
const table = await engine.table(); const name=table.name;
const body='x'.repeat(2000);
const put = async (r: string) => { const t=performance.now(); for (let i=0;i<200;i++) await doc.send(new PutCommand({TableName: name, Item:{pk:r+i, sk:'b', body}})); return ((performance.now()-t)/200).toFixed(2); };
let n=200; console.log('put', await put('s'));
for (const size of [3,20,20,50,90]) for (let r=0;r<3;r++) {
  const t=performance.now();
  for (let i=0;i<100;i++) { n+=size; await doc.send(new TransactWriteCommand({TransactItems: Array.from({length:size},(_,k)=>({Put:{TableName: name, Item: {pk: `t${n}-${i}`, sk:'b'+k, body}, ConditionExpression:'attribute_not_exists(pk)'}}))}));}
  console.log(size, 'total', n, ((performance.now()-t)/100/size).toFixed(3),'ms per item', 'put', await put('p'+size+r)); n+=200;
}
await engine.stop();
