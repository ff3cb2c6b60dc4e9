import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type NotFoundRouteProps,
  redirect,
} from "@tanstack/react-router";
import type { QueryClient } from "@tanstack/react-query";
import { profileQuery } from "@/api/access";
import { session } from "@/api/session";
import { NotFound, RouteFailure } from "@/app/failures";
import { lastWorkspace, rememberWorkspace } from "@/app/last-workspace";
import { Root } from "@/app/root";
import { AccountShell, WorkspaceShell } from "@/app/shell";
import { accountSearch } from "@/features/account/search";
import { inviteSearch, signInSearch } from "@/features/auth/search";
import { agentDetailSearch, agentListSearch } from "@/features/agents/search";
import { changesetDetailSearch, changesetListSearch } from "@/features/changesets/search";
import { clusterListSearch } from "@/features/clusters/search";
import { objectiveDetailSearch, objectiveListSearch, rubricDetailSearch, rubricListSearch } from "@/features/evaluations/search";
import { experimentDetailSearch, experimentListSearch, newExperimentSearch } from "@/features/experiments/search";
import { questionListSearch, runDetailSearch, runListSearch } from "@/features/runs/search";
import { sampleSetDetailSearch, sampleSetListSearch } from "@/features/samples/search";
import { newScanSearch, scanDetailSearch, scanListSearch, scheduleListSearch } from "@/features/scans/search";
import { sessionListSearch, traceDetailSearch, traceListSearch } from "@/features/traces/search";
import { newWorkflowSearch, workflowDetailSearch, workflowListSearch } from "@/features/workflows/search";

type Context = { queries: QueryClient };

const rootRoute = createRootRouteWithContext<Context>()({
  component: Root,
  errorComponent: RouteFailure,
  notFoundComponent: NotFound as (props: NotFoundRouteProps) => React.ReactNode,
});

/** Nobody sees a page for a moment that they have to sign in for; afterwards they are back where they wanted to go. */
async function signedIn({ context, location }: { context: Context; location: { href: string } }) {
  if ((await session.token()) === null) {
    throw redirect({ to: "/sign-in", search: location.href === "/" ? {} : { next: location.href } });
  }
  return { profile: await context.queries.ensureQueryData(profileQuery) };
}

const home = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  beforeLoad: async (options) => {
    const { profile } = await signedIn(options);
    const workspaceId = lastWorkspace(profile);
    if (workspaceId === null) throw redirect({ to: "/workspaces" });
    throw redirect({ to: "/w/$workspaceId", params: { workspaceId } });
  },
});

const open = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: "sign-in",
    validateSearch: signInSearch,
    component: lazyRouteComponent(() => import("@/features/auth/sign-in"), "SignInPage"),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: "register",
    validateSearch: signInSearch,
    component: lazyRouteComponent(() => import("@/features/auth/register"), "RegisterPage"),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: "reset-password",
    validateSearch: signInSearch,
    component: lazyRouteComponent(() => import("@/features/auth/reset-password"), "ResetPasswordPage"),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: "auth/callback/$provider",
    component: lazyRouteComponent(() => import("@/features/auth/callback"), "CallbackPage"),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: "invites/accept",
    validateSearch: inviteSearch,
    // Who is signed in already need not say so again; who cannot be asked is offered to.
    beforeLoad: () => session.token().then(
      () => undefined,
      () => undefined,
    ),
    component: lazyRouteComponent(() => import("@/features/auth/accept-invite"), "AcceptInvitePage"),
  }),
];

const accountRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: "account-shell",
  beforeLoad: signedIn,
  component: AccountShell,
});

const accountPages = [
  createRoute({
    getParentRoute: () => accountRoute,
    path: "workspaces",
    component: lazyRouteComponent(() => import("@/features/workspaces/workspace-list"), "WorkspaceListPage"),
  }),
  createRoute({
    getParentRoute: () => accountRoute,
    path: "account",
    beforeLoad: () => {
      throw redirect({ to: "/account/$section", params: { section: "profile" } });
    },
  }),
  createRoute({
    getParentRoute: () => accountRoute,
    path: "account/$section",
    validateSearch: accountSearch,
    component: lazyRouteComponent(() => import("@/features/account/account"), "AccountPage"),
  }),
];

const workspaceRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "w/$workspaceId",
  beforeLoad: async (options) => {
    const { profile } = await signedIn(options);
    rememberWorkspace(profile, options.params.workspaceId);
  },
  component: WorkspaceShell,
});

const overview = createRoute({
  getParentRoute: () => workspaceRoute,
  path: "/",
  component: lazyRouteComponent(() => import("@/features/workspaces/overview"), "OverviewPage"),
});

const workspacePages = [
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "traces",
    validateSearch: traceListSearch,
    component: lazyRouteComponent(() => import("@/features/traces/trace-list"), "TraceListPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "traces/$traceId",
    validateSearch: traceDetailSearch,
    component: lazyRouteComponent(() => import("@/features/traces/trace-detail"), "TraceDetailPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "sessions",
    validateSearch: sessionListSearch,
    component: lazyRouteComponent(() => import("@/features/traces/session-list"), "SessionListPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "agents",
    validateSearch: agentListSearch,
    component: lazyRouteComponent(() => import("@/features/agents/agent-list"), "AgentListPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "agents/$agentId",
    validateSearch: agentDetailSearch,
    component: lazyRouteComponent(() => import("@/features/agents/agent-detail"), "AgentDetailPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "samples",
    validateSearch: sampleSetListSearch,
    component: lazyRouteComponent(() => import("@/features/samples/sample-set-list"), "SampleSetListPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "samples/$setId",
    validateSearch: sampleSetDetailSearch,
    component: lazyRouteComponent(() => import("@/features/samples/sample-set-detail"), "SampleSetDetailPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "rubrics",
    validateSearch: rubricListSearch,
    component: lazyRouteComponent(() => import("@/features/evaluations/rubric-list"), "RubricListPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "rubrics/$rubricId",
    validateSearch: rubricDetailSearch,
    component: lazyRouteComponent(() => import("@/features/evaluations/rubric-detail"), "RubricDetailPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "objectives",
    validateSearch: objectiveListSearch,
    component: lazyRouteComponent(() => import("@/features/evaluations/objective-list"), "ObjectiveListPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "objectives/$objectiveId",
    validateSearch: objectiveDetailSearch,
    component: lazyRouteComponent(() => import("@/features/evaluations/objective-detail"), "ObjectiveDetailPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "scans",
    validateSearch: scanListSearch,
    component: lazyRouteComponent(() => import("@/features/scans/scan-list"), "ScanListPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "scans/new",
    validateSearch: newScanSearch,
    component: lazyRouteComponent(() => import("@/features/scans/new-scan"), "NewScanPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "scans/schedules",
    validateSearch: scheduleListSearch,
    component: lazyRouteComponent(() => import("@/features/scans/schedule-list"), "ScheduleListPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "scans/$scanId",
    validateSearch: scanDetailSearch,
    component: lazyRouteComponent(() => import("@/features/scans/scan-detail"), "ScanDetailPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "changesets",
    validateSearch: changesetListSearch,
    component: lazyRouteComponent(() => import("@/features/changesets/changeset-list"), "ChangesetListPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "changesets/$changesetId",
    validateSearch: changesetDetailSearch,
    component: lazyRouteComponent(() => import("@/features/changesets/changeset-detail"), "ChangesetDetailPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "clusters",
    validateSearch: clusterListSearch,
    component: lazyRouteComponent(() => import("@/features/clusters/cluster-list"), "ClusterListPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "experiments",
    validateSearch: experimentListSearch,
    component: lazyRouteComponent(() => import("@/features/experiments/experiment-list"), "ExperimentListPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "experiments/new",
    validateSearch: newExperimentSearch,
    component: lazyRouteComponent(() => import("@/features/experiments/new-experiment"), "NewExperimentPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "experiments/$experimentId",
    validateSearch: experimentDetailSearch,
    component: lazyRouteComponent(() => import("@/features/experiments/experiment-detail"), "ExperimentDetailPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "workflows",
    validateSearch: workflowListSearch,
    component: lazyRouteComponent(() => import("@/features/workflows/workflow-list"), "WorkflowListPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "workflows/new",
    validateSearch: newWorkflowSearch,
    component: lazyRouteComponent(() => import("@/features/workflows/new-workflow"), "NewWorkflowPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "workflows/$name",
    validateSearch: workflowDetailSearch,
    component: lazyRouteComponent(() => import("@/features/workflows/workflow-detail"), "WorkflowDetailPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "runs",
    validateSearch: runListSearch,
    component: lazyRouteComponent(() => import("@/features/runs/run-list"), "RunListPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "runs/$runId",
    validateSearch: runDetailSearch,
    component: lazyRouteComponent(() => import("@/features/runs/run-detail"), "RunDetailPage"),
  }),
  createRoute({
    getParentRoute: () => workspaceRoute,
    path: "questions",
    validateSearch: questionListSearch,
    component: lazyRouteComponent(() => import("@/features/runs/question-list"), "QuestionListPage"),
  }),
];

const settingsRoute = createRoute({
  getParentRoute: () => workspaceRoute,
  path: "settings",
  component: lazyRouteComponent(() => import("@/app/settings-layout"), "SettingsLayout"),
});

const settingsPages = [
  createRoute({
    getParentRoute: () => settingsRoute,
    path: "/",
    beforeLoad: ({ params }) => {
      throw redirect({ to: "/w/$workspaceId/settings/general", params });
    },
  }),
  createRoute({
    getParentRoute: () => settingsRoute,
    path: "general",
    component: lazyRouteComponent(() => import("@/features/workspaces/general-settings"), "GeneralSettingsPage"),
  }),
  createRoute({
    getParentRoute: () => settingsRoute,
    path: "members",
    component: lazyRouteComponent(() => import("@/features/workspaces/member-settings"), "MemberSettingsPage"),
  }),
  createRoute({
    getParentRoute: () => settingsRoute,
    path: "autonomy",
    component: lazyRouteComponent(() => import("@/features/workspaces/autonomy-settings"), "AutonomySettingsPage"),
  }),
  createRoute({
    getParentRoute: () => settingsRoute,
    path: "webhooks",
    component: lazyRouteComponent(() => import("@/features/workspaces/webhook-settings"), "WebhookSettingsPage"),
  }),
  createRoute({
    getParentRoute: () => settingsRoute,
    path: "keys",
    component: lazyRouteComponent(() => import("@/features/keys/api-keys"), "ApiKeysPage"),
  }),
  createRoute({
    getParentRoute: () => settingsRoute,
    path: "service-accounts",
    component: lazyRouteComponent(() => import("@/features/keys/service-accounts"), "ServiceAccountsPage"),
  }),
  createRoute({
    getParentRoute: () => settingsRoute,
    path: "models",
    component: lazyRouteComponent(() => import("@/features/keys/provider-keys"), "ProviderKeysPage"),
  }),
  createRoute({
    getParentRoute: () => settingsRoute,
    path: "traces",
    component: lazyRouteComponent(() => import("@/features/traces/trace-settings"), "TraceSettingsPage"),
  }),
  createRoute({
    getParentRoute: () => settingsRoute,
    path: "workflows",
    component: lazyRouteComponent(() => import("@/features/workflows/workflow-settings"), "WorkflowSettingsPage"),
  }),
];

const tree = rootRoute.addChildren([
  home,
  ...open,
  accountRoute.addChildren(accountPages),
  workspaceRoute.addChildren([overview, ...workspacePages, settingsRoute.addChildren(settingsPages)]),
]);

export function makeRouter(queries: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { queries },
    defaultPreload: "intent",
    // Whatever is read lives in the query cache, which knows how old it is.
    defaultPreloadStaleTime: 0,
    defaultErrorComponent: RouteFailure,
    defaultNotFoundComponent: NotFound,
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
