import { CodeBlock } from "@/components/code-block";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";

type Props = { name: string; secret: string; onClose: () => void };

export function WebhookSecret({ name, secret, onClose }: Props) {
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={`The signing secret of ${name}`}
      description="Your endpoint checks each delivery's signature with it. It is shown this once."
      footer={
        <Button variant="primary" onClick={onClose}>
          I have copied it
        </Button>
      }
    >
      <CodeBlock code={secret} wrap />
    </Dialog>
  );
}
