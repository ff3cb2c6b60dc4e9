import time, random
from tests.domains.samples.test_service import *
async def test_perf(database, tenant):
    set_id = await create(database, tenant.access)
    r=random.Random(0); words=[f"w{i}x{r.randint(0,999)}" for i in range(3000)]
    for rep in range(2):
        items=[Draft({"ticket":" ".join(r.choices(words,k=25))}, str(r.randint(0,11)), {"session_id":f"s{rep}-{i//2}"}, None) for i in range(9500)]
        t=time.time(); m=measure(items); print("measure",time.time()-t)
        t=time.time(); i=await bring(database, tenant.access, set_id, items); print("bring incl measure",time.time()-t,len(i.taken))
    async with database.transaction(tenant.access) as session:
        t=time.time(); await SampleService(session, tenant.access).add_item(set_id, items[0].__class__({"ticket":"a quite new text that nobody wrote before me"},"3",{},None)); print("add",time.time()-t)
    async with database.transaction(tenant.access) as session:
        t=time.time(); h=await SampleService(session, tenant.access).freeze_holdout(set_id); print("freeze",time.time()-t,h.size)
        t=time.time(); await SampleService(session, tenant.access).holdout_items(h.id); print("read",time.time()-t,h.size)
