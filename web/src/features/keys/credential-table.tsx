import { MoreHorizontal } from "lucide-react";
import type { ReactNode } from "react";
import { StatusBadge } from "@/components/status-badge";
import { Time } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Menu, type MenuAction } from "@/components/ui/menu";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";

export type Credential = {
  id: string;
  name: string;
  prefix: string;
  last_four: string;
  status: "active" | "expired" | "revoked";
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
};

type Props<T extends Credential> = {
  label: string;
  credentials: T[];
  rights: (credential: T) => ReactNode;
  actions: (credential: T) => (MenuAction | "separator")[];
};

export function CredentialTable<T extends Credential>({ label, credentials, rights, actions }: Props<T>) {
  return (
    <Table aria-label={label}>
      <TableHead>
        <TableRow>
          <TableHeader>Name</TableHeader>
          <TableHeader>Key</TableHeader>
          <TableHeader>May</TableHeader>
          <TableHeader>Last used</TableHeader>
          <TableHeader>Expires</TableHeader>
          <TableHeader>
            <span className="sr-only">Actions</span>
          </TableHeader>
        </TableRow>
      </TableHead>
      <TableBody>
        {credentials.map((one) => (
          <TableRow key={one.id}>
            <TableCell>
              <span className="flex items-center gap-2 font-medium">
                {one.name}
                {one.status !== "active" && <StatusBadge status={one.status} />}
              </span>
            </TableCell>
            <TableCell className="font-mono text-xs whitespace-nowrap text-muted">
              {one.prefix}…{one.last_four}
            </TableCell>
            <TableCell className="text-muted">{rights(one)}</TableCell>
            <TableCell className="whitespace-nowrap">{one.last_used_at === null ? "Never" : <Time at={one.last_used_at} />}</TableCell>
            <TableCell className="whitespace-nowrap">{one.expires_at === null ? "Never" : <Time at={one.expires_at} />}</TableCell>
            <TableCell align="right">
              {one.status === "active" && (
                <Menu
                  label={`Actions of ${one.name}`}
                  items={actions(one)}
                  trigger={
                    <Button size="icon" variant="ghost" aria-label={`Actions of ${one.name}`}>
                      <MoreHorizontal aria-hidden />
                    </Button>
                  }
                />
              )}
            </TableCell>
          </TableRow>
        ))}
      </TableBody>
    </Table>
  );
}
