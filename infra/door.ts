// What faces the internet: function URLs on trial stages, an HTTP API under the operator's own domain elsewhere.
import { CfnOutput, Fn, RemovalPolicy, Validations } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import {
  type CfnStage,
  DomainName,
  EndpointType,
  HttpApi,
  HttpMethod,
  HttpStage,
  LogGroupLogDestination,
  SecurityPolicy,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { FunctionUrlAuthType } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct, type IConstruct } from 'constructs';
import { logGroupName, physicalName } from './names.ts';
import type { StageSettings } from './settings.ts';
import type { Step } from './step.ts';

/** Requests a second and in a burst, over all callers of a route. */
interface Throttle {
  ThrottlingRateLimit: number;
  ThrottlingBurstLimit: number;
}
const EVENTS: Throttle = { ThrottlingRateLimit: 200, ThrottlingBurstLimit: 400 };
/** A page asks at each view; what a key in a page costs at most is bounded here. */
const RECOMMENDATIONS: Throttle = { ThrottlingRateLimit: 200, ThrottlingBurstLimit: 400 };
const PREFERENCES: Throttle = { ThrottlingRateLimit: 100, ThrottlingBurstLimit: 200 };
/** A mail that goes to many is opened by many at once; each mailbox asks for a picture once. */
const PICTURES: Throttle = { ThrottlingRateLimit: 500, ThrottlingBurstLimit: 1000 };

export class Door extends Construct {
  /** Where stores post their events: the whole address. */
  readonly eventsUrl: string;
  /** What comes before `/u/<token>`, `/c/…`, `/p/…`, `/w/…` and `/i/<picture>`; may end with a slash. */
  readonly preferencesUrl: string;
  /** Where a shop's page asks what to show: the whole address. */
  readonly recommendationsUrl: string;

  constructor(scope: Construct, settings: StageSettings, events: Step, preferences: Step, recommendations: Step) {
    super(scope, 'Door');
    if (settings.ownDomain && settings.publicBaseUrl && settings.certificateArn) {
      this.#underOwnDomain(settings, settings.publicBaseUrl, settings.certificateArn, {
        events,
        preferences,
        recommendations,
      });
      this.eventsUrl = `${settings.publicBaseUrl}/events`;
      this.preferencesUrl = settings.publicBaseUrl;
      this.recommendationsUrl = `${settings.publicBaseUrl}/recommendations`;
    } else {
      const urlOf = (step: Step): string => step.function.addFunctionUrl({ authType: FunctionUrlAuthType.NONE }).url;
      this.eventsUrl = Fn.join('', [urlOf(events), 'events']);
      const ownUrl = urlOf(preferences);
      this.preferencesUrl = settings.publicBaseUrl ?? ownUrl;
      this.recommendationsUrl = Fn.join('', [urlOf(recommendations), 'recommendations']);
    }
  }

  #underOwnDomain(
    settings: StageSettings,
    publicBaseUrl: string,
    certificateArn: string,
    { events, preferences, recommendations }: Record<'events' | 'preferences' | 'recommendations', Step>,
  ): void {
    const domainName = new DomainName(this, 'Domain', {
      domainName: new URL(publicBaseUrl).hostname,
      certificate: Certificate.fromCertificateArn(this, 'Certificate', certificateArn),
      endpointType: EndpointType.REGIONAL,
      securityPolicy: SecurityPolicy.TLS_1_2,
    });
    const api = new HttpApi(this, 'Api', {
      apiName: physicalName(settings.stage, 'door'),
      createDefaultStage: false,
      disableExecuteApiEndpoint: true,
    });
    const settled: Record<string, Throttle> = {};
    const routes: IConstruct[] = [];
    const integrations = new Map<Step, HttpLambdaIntegration>();
    const take = (step: Step, methods: HttpMethod[], paths: string[], throttle: Throttle, reason: string) => {
      const integration =
        integrations.get(step) ?? new HttpLambdaIntegration(`${step.node.id}Integration`, step.function);
      integrations.set(step, integration);
      for (const path of paths) {
        for (const method of methods) settled[`${method} ${path}`] = throttle;
        for (const route of api.addRoutes({ path, methods, integration })) {
          Validations.of(route).acknowledge({ id: 'AwsSolutions-APIG4', reason });
          routes.push(route);
        }
      }
    };
    take(
      events,
      [HttpMethod.POST],
      ['/events', '/v1/track', '/v1/identify', '/v1/batch'],
      EVENTS,
      'receive-event checks the secret of the source before it reads the body.',
    );
    take(
      preferences,
      [HttpMethod.GET, HttpMethod.POST, HttpMethod.HEAD],
      ['/u/{token}', '/c/{token}', '/p/{token}', '/w/{token}'],
      PREFERENCES,
      'The signed token in the link is the authorisation; mail clients can send no other.',
    );
    take(
      preferences,
      [HttpMethod.GET, HttpMethod.HEAD],
      ['/i/{picture}'],
      PICTURES,
      'Pictures of e-mails are for everybody who knows the hash of one; the function reads no other object.',
    );
    take(
      recommendations,
      [HttpMethod.GET, HttpMethod.OPTIONS],
      ['/recommendations'],
      RECOMMENDATIONS,
      'recommend-products checks the secret of the source before it reads anything; OPTIONS answers with headers alone.',
    );
    const stage = new HttpStage(this, 'Live', {
      httpApi: api,
      autoDeploy: true,
      domainMapping: { domainName },
      throttle: { rateLimit: PREFERENCES.ThrottlingRateLimit, burstLimit: PREFERENCES.ThrottlingBurstLimit },
      // Neither path nor address of the caller: the path carries a token.
      accessLogSettings: {
        destination: new LogGroupLogDestination(
          new LogGroup(this, 'AccessLog', {
            logGroupName: logGroupName(settings.stage, 'door'),
            retention: RetentionDays.ONE_MONTH,
            removalPolicy: RemovalPolicy.DESTROY,
          }),
        ),
        format: AccessLogFormat.custom(
          JSON.stringify({
            requestId: '$context.requestId',
            route: '$context.routeKey',
            status: '$context.status',
            latency: '$context.responseLatency',
            error: '$context.error.message',
          }),
        ),
      },
    });
    const cfnStage = stage.node.defaultChild as CfnStage;
    cfnStage.routeSettings = settled;
    // Route settings of a route that does not exist yet fail the deployment.
    for (const route of routes) cfnStage.node.addDependency(route);
    new CfnOutput(this, 'DomainTarget', {
      description: 'Point a CNAME record of the public host here',
      value: domainName.regionalDomainName,
    }).overrideLogicalId('PublicDomainTarget');
  }
}
