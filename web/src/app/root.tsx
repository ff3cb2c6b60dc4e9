import { Outlet } from "@tanstack/react-router";
import { Toaster } from "sonner";
import { StepUpDialog } from "@/app/step-up-dialog";
import { useTheme } from "@/app/theme";
import { TooltipProvider } from "@/components/ui/tooltip";

export function Root() {
  const theme = useTheme();
  return (
    <TooltipProvider>
      <Outlet />
      <StepUpDialog />
      <Toaster theme={theme} position="bottom-right" closeButton style={{ fontFamily: "inherit" }} />
    </TooltipProvider>
  );
}
