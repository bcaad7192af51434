// The operational stack: what wakes an operator, and where the lake is asked. It names the core stack's parts and refers to none, so neither locks the other.
import { Duration, Stack } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, type IMetric, Metric, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { FilterPattern, type IFilterPattern, LogGroup, MetricFilter } from 'aws-cdk-lib/aws-logs';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import { LakeTables } from './lake.ts';
import {
  bucketParameter,
  busName,
  deadLettersName,
  logGroupName,
  operationsStackName,
  pascal,
  physicalName,
  QUEUES,
  type QueueName,
  type StepName,
} from './names.ts';
import type { StageSettings } from './settings.ts';

/** Our own metrics, read from the functions' logs. */
export const NAMESPACE = 'Kairos';
/** What the functions log that alarms read; a test holds it against their code. */
export const LOGGED = {
  oldestDue: 'oldestDueSeconds',
  state: 'guard.state',
  paused: 'campaign.paused',
  uncertain: 'claim.uncertain',
} as const;

/**
 * What guard-sending says each minute and an alarm waits for: a number of `guard.state`, and the value at which it alarms.
 * A lower value makes no data: CloudWatch bills a metric of one's own for the hours in which it has some.
 */
const STATES = [
  {
    id: 'Stopped',
    field: 'stopped',
    from: 1,
    heading: 'Sending is stopped',
    says: 'The stop control is set, by a person, the guard or the sender: messages wait and nothing is sent.',
  },
  {
    id: 'UnderReview',
    field: 'underReview',
    from: 1,
    heading: 'SES reviews the account',
    says: 'SES has put the account under review: bulk messages wait, triggered ones go on.',
  },
  {
    id: 'QuotaNear',
    field: 'quotaUsed',
    from: 0.8,
    heading: 'The daily quota is near',
    says: '80 % of the e-mails that SES allows the account in 24 hours are used.',
  },
  {
    id: 'CouponsLow',
    field: 'couponsLow',
    from: 1,
    heading: 'Coupon pool is running low',
    says: 'A coupon pool that campaigns draw from is below its low-water mark; once it is empty, its messages wait.',
  },
] as const;
/** The numbers of `guard.state` that alarms read. */
export const STATE_FIELDS = STATES.map(({ field }) => field);

interface AlarmProps {
  /** A heading of docs/runbook.md. */
  heading: string;
  says: string;
  metric: IMetric;
  /** It alarms at this value and above; with `below`, under it. */
  threshold: number;
  below?: boolean;
  /** In so many periods, one after another; in one where it is absent. */
  periods?: number;
}

/** The anchor of a heading, as GitHub and most renderers make it. */
export const anchorOf = (heading: string): string => heading.toLowerCase().replaceAll(' ', '-');

export class OperationsStack extends Stack {
  readonly #stage: StageSettings['stage'];
  readonly #topic: Topic;

  constructor(scope: Construct, settings: StageSettings) {
    super(scope, operationsStackName(settings.stage), {
      description: `Kairos, stage ${settings.stage}: alarms, and the tables of the lake`,
      terminationProtection: settings.keepsData,
    });
    const { stage } = settings;
    this.#stage = stage;
    this.#topic = new Topic(this, 'Alarms', { displayName: `Kairos ${stage}`, enforceSSL: true });
    if (settings.alarmAddress) this.#topic.addSubscription(new EmailSubscription(settings.alarmAddress));

    new LakeTables(this, 'Lake', {
      stage,
      account: this.account,
      bucket: StringParameter.valueForStringParameter(this, bucketParameter(stage)),
    });

    for (const queue of QUEUES) {
      this.#alarm(`${pascal(queue)}DeadLetters`, {
        heading: 'Dead letters',
        says: `A message of the ${queue} queue was given up.`,
        metric: this.#sqs('ApproximateNumberOfMessagesVisible', deadLettersName(stage, queue), Duration.minutes(1)),
        threshold: 1,
      });
    }
    this.#failedDelivery('events', 'EventBridge could not hand an event to the record queue.', busName(stage));
    this.#failedDelivery('feedback', 'EventBridge could not hand feedback of SES to the feedback queue.');
    this.#failedDelivery(
      'unsubscribes',
      'EventBridge could not hand a withdrawn consent to the feedback queue.',
      busName(stage),
    );
    this.#failedDelivery('each-minute', 'EventBridge could not wake run-timers.');
    this.#failedDelivery('guard', 'EventBridge could not wake guard-sending.');
    this.#failedDelivery('insight', 'EventBridge could not wake refresh-insight.');
    this.#oldestMessage('record', 5);
    this.#oldestMessage('triggered', 10);
    this.#oldestMessage('feedback', 10);
    for (const step of ['hand-off', 'write-lake'] as const) {
      this.#alarm(`${pascal(step)}Late`, {
        heading: 'A stream reader is late',
        says: `${step} reads the table's stream 10 minutes late.`,
        metric: this.#lambda('IteratorAge', step, Stats.MAXIMUM, Duration.minutes(5)),
        threshold: Duration.minutes(10).toMilliseconds(),
      });
    }
    this.#eachMinute('Timers', 'run-timers', 'Timers are silent', 'nothing that waits moves');
    this.#eachMinute(
      'Guard',
      'guard-sending',
      'The guard is silent',
      'nothing watches the account and the error budgets',
    );
    this.#eachNight('Insight', 'refresh-insight', 'The nightly run is silent', 'predictions are made with old models');
    this.#alarm('DueLate', {
      heading: 'Due work is late',
      says: 'The oldest entry of the due index has waited 10 minutes.',
      metric: this.#logged('OldestDue', 'walk-due', {
        filterPattern: FilterPattern.numberValue(`$.${LOGGED.oldestDue}`, '>=', 0),
        metricValue: `$.${LOGGED.oldestDue}`,
      }).with({ statistic: Stats.MAXIMUM }),
      threshold: Duration.minutes(10).toSeconds(),
    });
    for (const { id, field, from, heading, says } of STATES) {
      this.#alarm(id, {
        heading,
        says,
        metric: this.#logged(id, 'guard-sending', {
          filterPattern: FilterPattern.all(
            FilterPattern.stringValue('$.message', '=', LOGGED.state),
            FilterPattern.numberValue(`$.${field}`, '>=', from),
          ),
          metricValue: `$.${field}`,
        }).with({ statistic: Stats.MAXIMUM }),
        threshold: from,
      });
    }
    this.#happened('CampaignPaused', 'guard-sending', LOGGED.paused, {
      heading: 'A campaign paused itself',
      says: 'guard-sending has paused a campaign: too many complaints, bounces or unsubscribes, or far more messages than planned.',
    });
    // Each time that one becomes so: those that nobody sends again stay uncertain, and an alarm that stays tells nothing new.
    this.#happened('Uncertain', 'walk-due', LOGGED.uncertain, {
      heading: 'Messages are uncertain',
      says: 'SES was asked to send a message and never said what became of it; Kairos does not send it again by itself.',
    });
    this.#alarm('Bounces', {
      heading: 'Bounces and complaints',
      says: 'The bounce rate of the SES account is 2 % or more; SES reviews accounts at 5 %.',
      metric: this.#ses('Reputation.BounceRate', Stats.MAXIMUM, Duration.hours(1)),
      threshold: 0.02,
    });
    this.#alarm('Complaints', {
      heading: 'Bounces and complaints',
      says: 'The complaint rate of the SES account is 0.08 % or more; SES reviews accounts at 0.1 %.',
      metric: this.#ses('Reputation.ComplaintRate', Stats.MAXIMUM, Duration.hours(1)),
      threshold: 0.0008,
    });
  }

  #alarm(id: string, { heading, says, metric, threshold, below = false, periods = 1 }: AlarmProps): void {
    new Alarm(this, id, {
      alarmName: physicalName(this.#stage, id.replace(/(?<=.)[A-Z]/g, '-$&').toLowerCase()),
      alarmDescription: `${says} What to do: docs/runbook.md#${anchorOf(heading)}`,
      metric,
      threshold,
      evaluationPeriods: periods,
      comparisonOperator: below
        ? ComparisonOperator.LESS_THAN_THRESHOLD
        : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: below ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    }).addAlarmAction(new SnsAction(this.#topic));
  }

  /** A step that is woken each minute: never run, or run in vain, comes to the same. */
  #eachMinute(id: string, step: StepName, heading: string, so: string): void {
    const period = Duration.minutes(5);
    this.#alarm(`${id}Silent`, {
      heading,
      says: `${step} has not run for 5 minutes: ${so}.`,
      metric: this.#lambda('Invocations', step, Stats.SUM, period),
      threshold: 1,
      below: true,
    });
    this.#alarm(`${id}Failing`, {
      heading,
      says: `${step} has failed at each run for 5 minutes: ${so}.`,
      metric: this.#lambda('Errors', step, Stats.SUM, period),
      threshold: 4,
    });
  }

  /** A step that is woken each night: two nights without a run, or with one that failed. */
  #eachNight(id: string, step: StepName, heading: string, so: string): void {
    const period = Duration.days(1);
    this.#alarm(`${id}Silent`, {
      heading,
      says: `${step} has not run for two days: ${so}.`,
      metric: this.#lambda('Invocations', step, Stats.SUM, period),
      threshold: 1,
      below: true,
      periods: 2,
    });
    this.#alarm(`${id}Failing`, {
      heading,
      says: `${step} has failed on two days: ${so}.`,
      metric: this.#lambda('Errors', step, Stats.SUM, period),
      threshold: 1,
      periods: 2,
    });
  }

  /** At each line of that name in the log of a step. */
  #happened(id: string, step: StepName, line: string, { heading, says }: Pick<AlarmProps, 'heading' | 'says'>): void {
    this.#alarm(id, {
      heading,
      says,
      metric: this.#logged(id, step, {
        filterPattern: FilterPattern.stringValue('$.message', '=', line),
        metricValue: '1',
      }).with({ statistic: Stats.SUM }),
      threshold: 1,
    });
  }

  #oldestMessage(queue: QueueName, minutes: number): void {
    this.#alarm(`${pascal(queue)}QueueLate`, {
      heading: 'A queue is late',
      says: `A message has waited ${minutes} minutes in the ${queue} queue.`,
      metric: this.#sqs('ApproximateAgeOfOldestMessage', physicalName(this.#stage, queue), Duration.minutes(1)),
      threshold: Duration.minutes(minutes).toSeconds(),
    });
  }

  #sqs(metricName: string, queueName: string, period: Duration): Metric {
    return new Metric({
      namespace: 'AWS/SQS',
      metricName,
      dimensionsMap: { QueueName: queueName },
      statistic: Stats.MAXIMUM,
      period,
    });
  }

  #lambda(metricName: string, step: StepName, statistic: string, period: Duration): Metric {
    return new Metric({
      namespace: 'AWS/Lambda',
      metricName,
      dimensionsMap: { FunctionName: physicalName(this.#stage, step) },
      statistic,
      period,
    });
  }

  /** Of the whole account, which is what SES judges. */
  #ses(metricName: string, statistic: string, period: Duration): Metric {
    return new Metric({ namespace: 'AWS/SES', metricName, statistic, period });
  }

  #failedDelivery(rule: string, says: string, eventBus?: string): void {
    this.#alarm(`${pascal(rule)}NotDelivered`, {
      heading: 'Failed deliveries of EventBridge',
      says,
      metric: new Metric({
        namespace: 'AWS/Events',
        metricName: 'FailedInvocations',
        dimensionsMap: { RuleName: physicalName(this.#stage, rule), ...(eventBus ? { EventBusName: eventBus } : {}) },
        statistic: Stats.SUM,
      }),
      threshold: 1,
    });
  }

  /** One of the few metrics of our own, from a function's JSON log. */
  #logged(metricName: string, step: StepName, filter: { filterPattern: IFilterPattern; metricValue: string }): Metric {
    const ofStage = `${metricName}-${this.#stage}`;
    new MetricFilter(this, `${metricName}Filter`, {
      logGroup: LogGroup.fromLogGroupName(this, `${metricName}Log`, logGroupName(this.#stage, step)),
      metricNamespace: NAMESPACE,
      metricName: ofStage,
      ...filter,
    });
    return new Metric({ namespace: NAMESPACE, metricName: ofStage, period: Duration.minutes(5) });
  }
}
