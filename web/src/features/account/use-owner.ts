import { useProfile } from "@/api/access";

/** Whether the person owns their account; undefined until it is known. */
export function useIsOwner(): boolean | undefined {
  return useProfile()?.accounts.some((account) => account.role === "owner");
}

export const OWNERS_ONLY = "Only an owner of the account may";
