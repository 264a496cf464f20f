"""Results in umbel's own stores, in Celery's words."""

from __future__ import annotations

from typing import Any

from celery import states
from celery.backends.base import BaseBackend
from umbel.wire import result


class UmbelBackend(BaseBackend):
    """`app.backend` where results are in the embedded file or in memory."""

    supports_autoexpire = True
    supports_native_join = True

    def encode_result(self, result: Any, state: str) -> Any:
        """The value as it is; the store's own document says how it is kept."""
        return result

    def _store_result(
        self, task_id: str, result_: Any, state: str, traceback: Any = None, request: Any = None, **kwargs: Any
    ) -> Any:
        meta = self._get_result_meta(result_, state, traceback, request)
        known = ("status", "result", "traceback", "children", "date_done")
        extra = {name: value for name, value in meta.items() if name not in known}
        document = result.encode(
            task_id,
            state,
            result_,
            traceback=traceback,
            children=meta["children"],
            serializer=self.app.conf.result_serializer,
            extra=extra,
        )
        self.app.result_store.store([document])
        return result_

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        found = self.app.result_store.fetch([task_id]).get(task_id)
        if found is None:
            return {"status": states.PENDING, "result": None}
        _, accept, serializer = self.app.reading()
        document = result.decode(found, accept, serializer)
        return {name: getattr(document, name) for name in document.__struct_fields__}

    def _save_group(self, group_id: str, result: Any) -> Any:
        from umbel.wire import encoding

        document = encoding.dumps({"result": result.as_tuple()}, self.app.conf.result_serializer)[2]
        self.app.result_store.save_group(group_id, document, self.app.conf.result_expires or None)
        return result

    def _restore_group(self, group_id: str) -> Any:
        found = self.app.GroupResult.restore(group_id)
        return None if found is None else {"result": found}

    def _delete_group(self, group_id: str) -> None:
        self.app.result_store.forget_group(group_id)

    def _forget(self, task_id: str) -> None:
        self.app.result_store.forget([task_id])

    def cleanup(self) -> None:
        """Remove what is past its age."""
        self.app.result_store.sweep()
