import { getRouteApi } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { EmptyState } from "@/components/empty-state";
import { Page } from "@/components/page";
import { AccountSection } from "@/features/account/account-section";
import { AuditLogSection } from "@/features/account/audit-log-section";
import { PeopleSection } from "@/features/account/people-section";
import { ProfileSection } from "@/features/account/profile-section";
import { SecuritySection } from "@/features/account/security-section";
import { SessionsSection } from "@/features/account/sessions-section";
import { UsageSection } from "@/features/account/usage-section";

const route = getRouteApi("/account-shell/account/$section");

const SECTIONS: Record<string, { title: string; content: ReactNode }> = {
  profile: { title: "Profile", content: <ProfileSection /> },
  security: { title: "Security", content: <SecuritySection /> },
  sessions: { title: "Signed in", content: <SessionsSection /> },
  account: { title: "Account", content: <AccountSection /> },
  people: { title: "People", content: <PeopleSection /> },
  usage: { title: "Usage", content: <UsageSection /> },
  "audit-log": { title: "Audit log", content: <AuditLogSection /> },
};

/** What belongs to the person, and to the account. */
export function AccountPage() {
  const { section } = route.useParams();
  const found = SECTIONS[section];
  return (
    <Page title={found?.title ?? "Account"}>
      <div className="flex max-w-5xl flex-col gap-4">
        {found?.content ?? <EmptyState title="There is no such section">Choose one on the left.</EmptyState>}
      </div>
    </Page>
  );
}
